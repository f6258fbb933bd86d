/** What the configuration may say, what it means when it says nothing, and what a mistake in it is told. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import config from '../../holdfast.config.ts';
import { type Config, ConfigError, resolveStage, type StageConfig, variables } from '../../infra/config.ts';

const HASH = 'ab'.repeat(32);
const stage = (given: Record<string, unknown>): Config => ({
  stages: { test: { auth: { tokenHashes: [HASH] }, ...given } as unknown as StageConfig },
});
const complaint = (given: Config, name = 'test', env: Record<string, string> = {}): string => {
  try {
    resolveStage(given, name, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
};

describe('a stage', () => {
  it('has defaults for all but its tokens', () => {
    expect(resolveStage(stage({}), 'test', {})).toEqual({
      name: 'test',
      vars: {},
      worker: { memory: 1_024, timeout: 180, batchSize: 10, batchWindow: 0, maximumConcurrency: 10 },
      retentionDays: 30,
      payloadDays: 395,
      allow: [],
      secrets: 'secrets-manager:holdfast/test/',
      tokenHashes: [HASH],
      api: { requestsPerSecond: 100, burst: 200 },
      logRetentionDays: 30,
      alarms: { coverage: 'essential', failedRuns: 10 },
      dashboard: false,
      disposable: false,
    });
  });

  it('takes larger batches with the throughput profile, and a size of its own', () => {
    expect(resolveStage(stage({ worker: { profile: 'throughput' } }), 'test', {}).worker).toMatchObject({ batchSize: 100, batchWindow: 1 });
    expect(resolveStage(stage({ worker: { profile: 'throughput', batchSize: 500 } }), 'test', {}).worker).toMatchObject({
      batchSize: 500,
      batchWindow: 1,
    });
  });

  it('gives its variables in capitals, with underscores', () => {
    expect(variables(resolveStage(stage({ vars: { crm: 'https://crm.example', 'e-mail': 'https://mail.example' } }), 'test', {}))).toEqual({
      HOLDFAST_VAR_CRM: 'https://crm.example',
      HOLDFAST_VAR_E_MAIL: 'https://mail.example',
    });
  });

  it('may have its tokens from the environment, several of them', () => {
    const given = stage({ auth: { tokenHashes: { env: 'TOKENS' } } });
    expect(resolveStage(given, 'test', { TOKENS: ` ${HASH}, ${HASH} ` }).tokenHashes).toEqual([HASH, HASH]);
  });
});

describe('a mistake is told with file, field and remedy', () => {
  it.each<[string, Config, string]>([
    [
      'an unknown stage',
      config,
      'holdfast.config.ts: stages: there is no stage "test": use one of local, localstack, dev, prod, or add it',
    ],
    ['no stages at all', {} as Config, 'holdfast.config.ts: stages: is missing: export default defineConfig({ stages: { … } })'],
    ['too much time', stage({ worker: { timeout: 901 } }), 'stages.test.worker.timeout: must be a whole number of seconds from 1 to 900'],
    ['time as a text', stage({ worker: { timeout: '3m' } }), 'stages.test.worker.timeout: must be a whole number of seconds from 1 to 900'],
    ['half a megabyte', stage({ worker: { memory: 128.5 } }), 'stages.test.worker.memory: must be a whole number of MB from 128 to 10240'],
    [
      'a concurrency of one, which SQS refuses',
      stage({ worker: { maximumConcurrency: 1 } }),
      'stages.test.worker.maximumConcurrency: must be a whole number of invocations from 2 to 1000',
    ],
    [
      'a large batch without waiting for it',
      stage({ worker: { batchSize: 11 } }),
      "stages.test.worker.batchSize: is at most 10 unless worker.profile is 'throughput', which waits to gather more",
    ],
    ['a profile that is none', stage({ worker: { profile: 'fast' } }), "stages.test.worker.profile: must be 'default' or 'throughput'"],
    ['a misspelt option', stage({ worker: { memmory: 128 } }), 'stages.test.worker: has no option "memmory"'],
    ['no retention', stage({ retentionDays: 0 }), 'stages.test.retentionDays: must be a whole number of days from 1 to 3650'],
    [
      'bodies that go before their runs',
      stage({ retentionDays: 30, payloadDays: 30 }),
      'stages.test.payloadDays: must be more than retentionDays (30): a kept run would lose what it has read',
    ],
    ['an address that is no range', stage({ allow: ['localhost'] }), 'stages.test.allow.0: must be a CIDR such as 10.1.0.0/16'],
    ['secrets from nowhere', stage({ secrets: 'vault' }), "stages.test.secrets: must be 'env-file:<path>' or 'secrets-manager:<prefix>'"],
    ['a variable without a value', stage({ vars: { crm: '' } }), "stages.test.vars.crm: must be a text such as the API's URL"],
    ['a variable that is no name', stage({ vars: { '1crm': 'x' } }), 'stages.test.vars.1crm: its name must be letters'],
    ['two names for one variable', stage({ vars: { 'a-b': 'x', a_b: 'y' } }), 'stages.test.vars.a_b: is the same variable as "a-b"'],
    [
      'a token in place of its hash',
      stage({ auth: { tokenHashes: ['local-dev'] } }),
      "stages.test.auth.tokenHashes.0: must be the SHA-256 of each token as 64 hex digits, never the token itself, or { env: 'NAME' }",
    ],
    [
      'logs for as long as CloudWatch does not know',
      stage({ logRetentionDays: 31 }),
      'stages.test.logRetentionDays: must be a number of days',
    ],
    [
      'more requests than API Gateway takes',
      stage({ api: { requestsPerSecond: 0 } }),
      'stages.test.api.requestsPerSecond: must be a whole number of requests from 1 to 10000',
    ],
    [
      'an address that is none',
      stage({ alarms: { email: 'ops' } }),
      'stages.test.alarms.email: must be an address such as ops@example.com',
    ],
    [
      'two ways to tell',
      stage({ alarms: { email: 'ops@example.com', topicArn: 'arn:aws:sns:eu-central-1:123456789012:ops' } }),
      'stages.test.alarms.topicArn: has subscribers of its own: give it or alarms.email, not both',
    ],
    ['a topic that is a name', stage({ alarms: { topicArn: 'ops' } }), 'stages.test.alarms.topicArn: must be the ARN of an SNS topic'],
    ['half of the alarms', stage({ alarms: { coverage: 'some' } }), "stages.test.alarms.coverage: must be 'essential' or 'full'"],
    ['a dashboard with a name', stage({ dashboard: 'ours' }), 'stages.test.dashboard: must be true or false'],
    ['no way in', stage({ auth: { tokenHashes: [] } }), 'stages.test.auth.tokenHashes: must be the SHA-256 of each token'],
  ])('%s', (_, given, expected) => {
    expect(complaint(given)).toContain(expected);
  });

  it('names all mistakes at once', () => {
    const lines = complaint(stage({ retentionDays: -1, worker: { memory: 1 } })).split('\n');
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line).toMatch(/^holdfast\.config\.ts: stages\.test\.\S+: must be/);
  });

  it('refuses a stage that could not be part of a name', () => {
    expect(complaint(stage({}), 'Test_1')).toContain('"Test_1" cannot name a stage');
    expect(complaint(stage({}), 'a'.repeat(17))).toContain('cannot name a stage');
    expect(complaint(stage({}), 'constructor')).toContain('there is no stage "constructor"');
  });

  it('says how to make a token’s hash where it is missing, and shows none that is wrong', () => {
    const given = stage({ auth: { tokenHashes: { env: 'TOKENS' } } });
    expect(complaint(given)).toBe(
      'holdfast.config.ts: stages.test.auth.tokenHashes: set TOKENS to the SHA-256 of your API token: printf %s "$TOKEN" | shasum -a 256',
    );
    expect(complaint(given, 'test', { TOKENS: 'hunter2' })).toMatch(/TOKENS must hold SHA-256 hashes/);
    expect(complaint(given, 'test', { TOKENS: 'hunter2' })).not.toContain('hunter2');
  });
});

describe('the stages of this project', () => {
  it('has a local one with the token that everybody knows, leave to call loopback, and nothing to lose', () => {
    const local = resolveStage(config, 'local', {});
    expect(local.tokenHashes).toEqual([createHash('sha256').update('local-dev').digest('hex')]);
    expect(local).toMatchObject({ allow: ['127.0.0.0/8'], secrets: 'env-file:.env.local', disposable: true });
    expect(local.vars).toMatchObject({
      crm: 'http://127.0.0.1:3001/crm',
      billing: 'http://127.0.0.1:3001/billing',
      mailer: 'http://127.0.0.1:3001/mailer',
    });
  });

  it('has one for LocalStack, whose functions are told where the demo API is as they see it', () => {
    const localstack = resolveStage(config, 'localstack', {});
    expect(localstack).toMatchObject({ secrets: 'secrets-manager:holdfast/localstack/', disposable: true, worker: { timeout: 30 } });
    expect(localstack.tokenHashes).toEqual(resolveStage(config, 'local', {}).tokenHashes);
    expect(localstack.vars.crm).toBe('http://127.0.0.1:3001/crm');
  });

  it.each(['dev', 'prod'])('needs a token for %s from the environment, and allows nothing that is not public', (name) => {
    expect(complaint(config, name)).toContain(`stages.${name}.auth.tokenHashes: set HOLDFAST_API_TOKEN_SHA256`);
    expect(resolveStage(config, name, { HOLDFAST_API_TOKEN_SHA256: HASH })).toMatchObject({
      allow: [],
      secrets: `secrets-manager:holdfast/${name}/`,
      disposable: false,
    });
  });
});
