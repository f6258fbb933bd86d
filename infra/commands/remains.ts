/** What CloudFormation does not remove by itself: the objects in a bucket, and secrets that were not made by the stack. */
import { DeleteObjectsCommand, paginateListObjectsV2, type S3Client } from '@aws-sdk/client-s3';
import { DeleteSecretCommand, paginateListSecrets, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { CommandError } from './program.ts';

/** Resolves to the number of objects deleted. The bucket is not versioned. */
export async function emptyBucket(client: S3Client, bucket: string): Promise<number> {
  let deleted = 0;
  try {
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: bucket })) {
      if (Contents.length === 0) continue;
      const Objects = Contents.map(({ Key }) => ({ Key }));
      const { Errors = [] } = await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }));
      const [failed] = Errors;
      if (failed) throw new CommandError(`${failed.Key} in ${bucket} could not be deleted: ${failed.Code} ${failed.Message}`);
      deleted += Objects.length;
    }
  } catch (error) {
    // Gone in an earlier attempt.
    if ((error as Error).name !== 'NoSuchBucket') throw error;
  }
  return deleted;
}

/** At once, without the days in which they could be restored. Resolves to their names. */
export async function deleteSecrets(client: SecretsManagerClient, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { SecretList = [] } of paginateListSecrets({ client }, { Filters: [{ Key: 'name', Values: [prefix] }] })) {
    // The filter takes words, not prefixes.
    names.push(...SecretList.flatMap(({ Name }) => (Name?.startsWith(prefix) ? [Name] : [])));
  }
  for (const name of names) await client.send(new DeleteSecretCommand({ SecretId: name, ForceDeleteWithoutRecovery: true }));
  return names;
}
