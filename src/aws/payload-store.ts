/** PayloadStore on S3. Keys name their content, so writing one twice changes nothing. */
import type { S3Client } from '@aws-sdk/client-s3';
import { HoldfastError } from '../engine/errors.ts';
import type { PayloadStore } from '../engine/ports.ts';

export function s3PayloadStore(client: () => Promise<S3Client>, bucket: string): PayloadStore {
  return {
    async put(key, data) {
      const [s3, { PutObjectCommand }] = await Promise.all([client(), import('@aws-sdk/client-s3')]);
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: data, ContentLength: data.byteLength }));
    },
    async get(key) {
      const [s3, { GetObjectCommand, NoSuchKey }] = await Promise.all([client(), import('@aws-sdk/client-s3')]);
      try {
        const reply = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
        return (await reply.Body?.transformToByteArray()) ?? new Uint8Array();
      } catch (error) {
        if (!(error instanceof NoSuchKey)) throw error;
        throw new HoldfastError('E_PAYLOAD_MISSING', `the payload "${key}" is not in bucket ${bucket}: it has expired or was deleted`, {
          cause: error,
          detail: { key, bucket },
        });
      }
    },
  };
}
