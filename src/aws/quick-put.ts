/**
 * PutObject without the SDK, whose request costs 300 KB of short-lived objects: a body of many pieces made V8's young generation grow by
 * 100 MB. One attempt: whatever does not go well is the SDK's to do again, with its patience, its idea of the time and its errors.
 * Endpoint, credentials and sockets are those of its client.
 */
import { createHash } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';
import { systemClock } from './clock.ts';
import { rfc3986, signer } from './signer.ts';
import type { UndiciHandler } from './undici-handler.ts';

/** Whether it is stored. */
export type QuickPut = (key: string, data: Uint8Array) => Promise<boolean>;

export async function quickPut({ config }: S3Client, bucket: string): Promise<QuickPut> {
  const [region, forcePathStyle, own] = await Promise.all([config.region(), config.forcePathStyle, config.endpoint?.()]);
  const { url } = config.endpointProvider({
    Bucket: bucket,
    Region: region,
    ForcePathStyle: forcePathStyle === true,
    UseFIPS: false,
    UseDualStack: false,
    ...(own === undefined ? {} : { Endpoint: urlOf(own) }),
  });
  const { protocol, hostname, port, pathname } = url;
  const place = { protocol, hostname, ...(port === '' ? {} : { port: Number(port) }), method: 'PUT' };
  const base = pathname.replace(/\/$/, '');
  const { sign } = signer({ credentials: config.credentials, region, service: 's3', encodesPath: false });
  const handler = config.requestHandler as unknown as UndiciHandler;
  const clock = systemClock();

  return async (key, data) => {
    const request = {
      ...place,
      path: `${base}/${key.split('/').map(rfc3986).join('/')}`,
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(data.byteLength),
        'x-amz-content-sha256': createHash('sha256').update(data).digest('hex'),
      } as Record<string, string>,
      body: data,
    };
    try {
      await sign(request, { signingDate: clock.now() });
      const { response } = await handler.handle(request);
      return response.statusCode === 200;
    } catch {
      return false;
    }
  };
}

type Where = { protocol: string; hostname: string; port?: number | undefined; path: string };

const urlOf = ({ protocol, hostname, port, path }: Where): string =>
  `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`;
