/**
 * The few AWS calls that the embedded cloud makes itself, as plain JSON over HTTP: the poller is on the path of every message,
 * where an SDK client would cost more than the rest. The front checks no signatures.
 */
import { Pool } from 'undici';
import { LocalError } from '../errors.ts';

export const REGION = 'us-east-1';
/** The account that fauxqs puts into its ARNs. */
export const ACCOUNT = '000000000000';

const TARGETS = { sqs: 'AmazonSQS', dynamodb: 'DynamoDB_20120810' } as const;
const AUTHORIZATION = `AWS4-HMAC-SHA256 Credential=test/20000101/${REGION}/local/aws4_request, SignedHeaders=host, Signature=none`;

export type AwsClient = {
  readonly url: string;
  /** Throws `E_AWS_CALL`, whose `cause` has the service's error as `{ __type, message }`. */
  call<T>(service: keyof typeof TARGETS, action: string, input: object): Promise<T>;
  queueUrl(queue: string): string;
  close(): Promise<void>;
};

export function awsClient(url: string): AwsClient {
  const pool = new Pool(url, { connections: 64 });
  return {
    url,
    async call<T>(service: keyof typeof TARGETS, action: string, input: object): Promise<T> {
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path: '/',
        headers: {
          'content-type': 'application/x-amz-json-1.0',
          'x-amz-target': `${TARGETS[service]}.${action}`,
          'x-amz-date': '20000101T000000Z',
          authorization: AUTHORIZATION,
        },
        body: JSON.stringify(input),
      });
      const text = await body.text();
      if (statusCode === 200) return JSON.parse(text) as T;
      const cause = parseError(text);
      throw new LocalError('E_AWS_CALL', `${service} ${action} answered ${statusCode}: ${cause.__type} ${cause.message ?? ''}`, { cause });
    },
    queueUrl: (queue) => `${url}/${ACCOUNT}/${queue}`,
    close: () => pool.destroy(),
  };
}

function parseError(text: string): { __type: string; message?: string } {
  try {
    return JSON.parse(text) as { __type: string; message?: string };
  } catch {
    return { __type: 'Unreadable', message: text.slice(0, 200) };
  }
}

/** The short name of the service's error, `ResourceNotFoundException` say. */
export function awsErrorName(error: unknown): string | undefined {
  const cause = error instanceof LocalError ? (error.cause as { __type?: string } | undefined) : undefined;
  return cause?.__type?.split('#').at(-1);
}
