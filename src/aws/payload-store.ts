/** PayloadStore on S3. Keys name their content, so writing one twice changes nothing. */
import type { S3Client } from '@aws-sdk/client-s3';
import { HoldfastError } from '../engine/errors.ts';
import type { PayloadRemoval, PayloadStore } from '../engine/ports.ts';
import type { QuickPut } from './quick-put.ts';

export function s3PayloadStore(client: () => Promise<S3Client>, bucket: string): PayloadStore {
  let quick: Promise<QuickPut> | undefined;
  return {
    async put(key, data) {
      quick ??= Promise.all([client(), import('./quick-put.ts')]).then(([s3, { quickPut }]) => quickPut(s3, bucket));
      quick.catch(() => {
        quick = undefined;
      });
      if (await (await quick)(key, data)) return;
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

export function s3PayloadRemoval(client: () => Promise<S3Client>, bucket: string): PayloadRemoval {
  return {
    async removeAll(prefix) {
      if (!prefix.endsWith('/')) throw new HoldfastError('E_INTERNAL', `payloads are removed by a prefix that ends in "/", not ${prefix}`);
      const [s3, { DeleteObjectsCommand, ListObjectsV2Command }] = await Promise.all([client(), import('@aws-sdk/client-s3')]);
      // Always from the beginning: what was listed is gone by then.
      for (;;) {
        const page = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
        const keys = (page.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [{ Key }]));
        if (keys.length === 0) return;
        const answer = await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: keys, Quiet: true } }));
        const [refused] = answer.Errors ?? [];
        if (refused) throw new Error(`${refused.Key} in bucket ${bucket} was not removed: ${refused.Code ?? ''} ${refused.Message ?? ''}`);
      }
    },
  };
}
