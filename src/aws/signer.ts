/**
 * AWS Signature Version 4 for the JSON services, in a third of the SDK's time: a day's key and a second's texts are made once, and
 * only the headers are signed that must be. Knows no service; credentials and clock skew are the SDK's.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { createHash, createHmac, createSecretKey, type KeyObject } from 'node:crypto';

export type Credentials = { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string | undefined };

type Request = {
  method: string;
  hostname: string;
  port?: number | undefined;
  path: string;
  query?: Record<string, string | string[] | null> | undefined;
  headers: Record<string, string>;
  body?: unknown;
};
type Arguments = { signingDate?: Date | number | string; signingRegion?: string; signingService?: string };

export type Signer = { sign<R extends Request>(request: R, options?: Arguments): Promise<R> };

const ALGORITHM = 'AWS4-HMAC-SHA256';
const SECOND_MS = 1_000;

/** What stays the same for all requests of a second. */
type Moment = { second: number; secret: string; scope: string; time: string; key: KeyObject };

export function signer(options: {
  credentials: () => Promise<Credentials>;
  region: string;
  service: string;
  /** The path, which is encoded already, is signed encoded once more: what the services other than S3 want. Default true. */
  encodesPath?: boolean;
}): Signer {
  let moment: Moment | undefined;

  const momentOf = (at: number, secret: string, region: string, service: string): Moment => {
    const second = Math.floor(at / SECOND_MS);
    const time = new Date(second * SECOND_MS).toISOString().replace(/[-:]|\.\d+/g, '');
    const day = time.slice(0, 8);
    const scope = `${day}/${region}/${service}/aws4_request`;
    const known = moment?.scope === scope && moment.secret === secret ? moment.key : undefined;
    return { second, secret, scope, time, key: known ?? signingKey(secret, day, region, service) };
  };

  return {
    async sign(request, { signingDate, signingRegion = options.region, signingService = options.service } = {}) {
      // The SDK's idea of the time: ours, corrected by what the service said of it.
      if (signingDate === undefined) throw new TypeError('a request is signed at a time: signingDate is missing');
      const { accessKeyId, secretAccessKey, sessionToken } = await options.credentials();
      const at = new Date(signingDate).getTime();
      const fresh =
        moment?.second === Math.floor(at / SECOND_MS) &&
        moment.secret === secretAccessKey &&
        moment.scope.endsWith(`/${signingRegion}/${signingService}/aws4_request`);
      if (!fresh) moment = momentOf(at, secretAccessKey, signingRegion, signingService);
      const { time, scope, key } = moment as Moment;

      const { headers } = request;
      headers['x-amz-date'] = time;
      if (sessionToken !== undefined) headers['x-amz-security-token'] = sessionToken;
      headers.host ??= request.port === undefined ? request.hostname : `${request.hostname}:${request.port}`;
      const signed = Object.keys(headers).filter(mustBeSigned).sort();
      const signature = signatureOf({ request, signed, time, scope, key, encodesPath: options.encodesPath });
      headers.authorization = `${ALGORITHM} Credential=${accessKeyId}/${scope}, SignedHeaders=${signed.join(';')}, Signature=${signature}`;
      return request;
    },
  };
}

const mustBeSigned = (name: string): boolean => name === 'host' || name === 'content-type' || name.startsWith('x-amz-');

/** `signed`: names of headers, lower-case and in order. */
export function signatureOf({
  request,
  signed,
  time,
  scope,
  key,
  encodesPath = true,
}: {
  request: Request;
  signed: readonly string[];
  time: string;
  scope: string;
  key: KeyObject;
  encodesPath?: boolean | undefined;
}): string {
  let headers = '';
  for (const name of signed) headers += `${name}:${(request.headers[name] as string).trim().replace(/\s+/g, ' ')}\n`;
  const path = encodesPath ? pathOf(request.path) : request.path;
  const content = request.headers['x-amz-content-sha256'] ?? hash(bytesOf(request.body));
  const canonical = `${request.method}\n${path}\n${queryOf(request.query)}\n${headers}\n${signed.join(';')}\n${content}`;
  return createHmac('sha256', key)
    .update(`${ALGORITHM}\n${time}\n${scope}\n${hash(canonical)}`)
    .digest('hex');
}

export function signingKey(secret: string, day: string, region: string, service: string): KeyObject {
  let key: string | Buffer = `AWS4${secret}`;
  for (const part of [day, region, service, 'aws4_request']) key = createHmac('sha256', key).update(part).digest();
  return createSecretKey(key as Buffer);
}

const hash = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

function bytesOf(body: unknown): string | Uint8Array {
  if (body === undefined || body === null) return '';
  if (typeof body === 'string' || body instanceof Uint8Array) return body;
  throw new TypeError('only bodies that are there as a whole can be signed: streams are left to the signer of the SDK');
}

const pathOf = (path: string): string => (path === '/' || path === '' ? '/' : rfc3986(path).replaceAll('%2F', '/'));

function queryOf(query: Request['query']): string {
  if (!query) return '';
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value ?? '']).map((one) => `${rfc3986(name)}=${rfc3986(one)}`),
  );
  return pairs.sort().join('&');
}

/** RFC 3986. */
export const rfc3986 = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
