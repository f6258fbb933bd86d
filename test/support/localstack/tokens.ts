/** API tokens of a deployed stage, put where the API looks for them. */
import { createHash, randomBytes } from 'node:crypto';
import { dynamoTokenStore } from '../../../src/aws/token-store.ts';
import type { Token } from '../../../src/engine/ports.ts';
import type { TestStack } from './stack.ts';

/** Resolves with the token itself, of which the table has only the hash. */
export async function makeToken(
  { aws, outputs }: Pick<TestStack, 'aws' | 'outputs'>,
  of: Omit<Token, 'hash' | 'createdAt'>,
): Promise<string> {
  const token = `hf_${randomBytes(32).toString('base64url')}`;
  const hash = createHash('sha256').update(token).digest('hex');
  await dynamoTokenStore(aws.dynamodb, outputs.ConnectionsTable).put({ ...of, hash, createdAt: Date.now() });
  return token;
}
