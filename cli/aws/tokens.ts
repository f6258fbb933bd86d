/** The stage's store of tokens: its table by the stack's outputs, or by its name in the embedded cloud, which has no stacks. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { dynamoTokenStore } from '../../src/aws/token-store.ts';
import { CliError, EXIT } from '../errors.ts';
import type { Outside } from '../outside.ts';
import { LOCAL, localAwsUrl, type Settings } from '../settings.ts';
import { clientConfig } from './config.ts';
import { awsError, awsFault, placeOf } from './faults.ts';
import { stageOutput } from './stack.ts';

export type Tokens = ReturnType<typeof dynamoTokenStore>;

const LOCAL_TABLE = 'holdfast-local-connections';

export async function withTokens<T>(about: { outside: Outside; settings(): Settings }, use: (store: Tokens) => Promise<T>): Promise<T> {
  const { env } = about.outside;
  const { stage } = about.settings();
  const table = stage === LOCAL ? LOCAL_TABLE : await stageOutput(stage, 'ConnectionsTable', env);
  const config = clientConfig(env, 'DYNAMODB', stage === LOCAL ? localAwsUrl(env) : undefined);
  const client = new DynamoDBClient(config);
  try {
    return await use(dynamoTokenStore(client, table));
  } catch (error) {
    if (error instanceof CliError) throw error;
    if (stage === LOCAL && awsFault(error) === 'endpoint') {
      throw new CliError(EXIT.unreachable, `nothing answers at ${config.endpoint}: the embedded cloud is not running`, {
        remedy: 'Start it: npx holdfast dev',
        cause: error,
      });
    }
    throw awsError(`the tokens of ${stage} (table ${table})`, error, placeOf(config, env));
  } finally {
    client.destroy();
  }
}
