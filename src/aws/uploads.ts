/** Uploads in the payloads' bucket, below a prefix that a lifecycle rule empties. Clients send them by presigned requests. */
import { createHash } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Uploads } from '../batch/ports.ts';
import type { Clock, Entropy } from '../engine/ports.ts';

/** How long a URL is good for: a gigabyte takes a slow line about that. */
const URL_SECONDS = 3_600;
const TYPE = 'application/x-ndjson';

/** `client`: one whose endpoint clients can reach too. */
export function s3Uploads(
  client: () => Promise<S3Client>,
  bucket: string,
  { clock, entropy }: { clock: Pick<Clock, 'now'>; entropy: Pick<Entropy, 'id'> },
): Uploads {
  return {
    async create(tenant) {
      const [s3, { PutObjectCommand }, { getSignedUrl }] = await Promise.all([
        client(),
        import('@aws-sdk/client-s3'),
        import('@aws-sdk/s3-request-presigner'),
      ]);
      const upload = entropy.id();
      const expiresAt = clock.now() + URL_SECONDS * 1_000;
      const url = await getSignedUrl(s3, new PutObjectCommand({ Bucket: bucket, Key: keyOf(tenant, upload), ContentType: TYPE }), {
        expiresIn: URL_SECONDS,
        signingDate: new Date(clock.now()),
      });
      return { upload, url, headers: { 'content-type': TYPE }, expiresAt };
    },

    async find(tenant, upload) {
      const [s3, { HeadObjectCommand, S3ServiceException }] = await Promise.all([client(), import('@aws-sdk/client-s3')]);
      try {
        const { ContentLength = 0, ETag = '' } = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: keyOf(tenant, upload) }));
        return { bytes: ContentLength, etag: ETag };
      } catch (error) {
        if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) return undefined;
        throw error;
      }
    },

    async read(tenant, upload, { from, to, etag }) {
      const [s3, { GetObjectCommand }] = await Promise.all([client(), import('@aws-sdk/client-s3')]);
      const reply = await s3.send(
        new GetObjectCommand({ Bucket: bucket, Key: keyOf(tenant, upload), Range: `bytes=${from}-${to - 1}`, IfMatch: etag }),
      );
      return (await reply.Body?.transformToByteArray()) ?? new Uint8Array();
    },
  };
}

/** By hash: a tenant may be called "..", which in a URL is no name. */
function keyOf(tenant: string, upload: string): string {
  return `uploads/${createHash('sha256').update(tenant).digest('hex').slice(0, 32)}/${upload}`;
}
