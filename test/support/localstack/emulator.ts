/** The clients of an emulated account, and plain requests to those services of it that the project has no client for. */
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SQSClient } from '@aws-sdk/client-sqs';
import { CREDENTIALS, REGION } from './cdk.ts';

export type Emulator = ReturnType<typeof emulator>;

export function emulator(endpoint: string) {
  const common = { endpoint, region: REGION, credentials: CREDENTIALS };
  const headers = (service: string) => ({
    authorization: `AWS4-HMAC-SHA256 Credential=${CREDENTIALS.accessKeyId}/20260101/${REGION}/${service}/aws4_request, SignedHeaders=host, Signature=0`,
  });
  const read = async (response: Response): Promise<string> => {
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${text.slice(0, 500)}`);
    return text;
  };
  const clients = {
    sqs: new SQSClient({ ...common, useQueueUrlAsEndpoint: false }),
    dynamodb: new DynamoDBClient(common),
    s3: new S3Client({ ...common, forcePathStyle: true }),
    secrets: new SecretsManagerClient(common),
    lambda: new LambdaClient(common),
    cloudformation: new CloudFormationClient(common),
  };
  return {
    endpoint,
    ...clients,
    /** `target`: as in `X-Amz-Target`. Emulators look at no signature. */
    async json<T>(service: string, target: string, body: unknown): Promise<T> {
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { ...headers(service), 'x-amz-target': target, 'content-type': 'application/x-amz-json-1.1' },
        body: JSON.stringify(body),
      });
      return JSON.parse(await read(response)) as T;
    },
    async get(service: string, path: string): Promise<string> {
      return read(await fetch(`${endpoint}${path}`, { headers: { ...headers(service), accept: 'application/json' } }));
    },
    destroy() {
      for (const client of Object.values(clients)) client.destroy();
    },
  };
}
