/** Where `npm run deploy` and `npm run destroy` go, what they hand on, and what they say when they cannot. */
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ROOT } from '../../infra/bundle.ts';
import { secretName } from '../../infra/commands/demo-secrets.ts';
import { environmentFor, targetOf } from '../../infra/commands/target.ts';
import { variableOf } from '../../src/aws/env-file-secrets.ts';

describe('a command goes', () => {
  it.each<[string, Parameters<typeof targetOf>[0], Record<string, string>, ReturnType<typeof targetOf>]>([
    ['to the account with the default stage', {}, {}, { stage: 'dev' }],
    ['to the account with the stage of the environment', {}, { HOLDFAST_STAGE: 'prod' }, { stage: 'prod' }],
    ['to the account with the stage of the option', { stage: 'prod' }, { HOLDFAST_STAGE: 'dev' }, { stage: 'prod' }],
    ['to this machine', { local: true }, {}, { stage: 'localstack', endpoint: 'http://localhost:4566' }],
    [
      'to this machine for the stage that is only there',
      { stage: 'localstack' },
      {},
      { stage: 'localstack', endpoint: 'http://localhost:4566' },
    ],
    [
      'to an endpoint',
      { local: true, stage: 'mine' },
      { AWS_ENDPOINT_URL: 'http://emulator:4567/' },
      { stage: 'mine', endpoint: 'http://emulator:4567' },
    ],
  ])('%s', (_, flags, env, expected) => {
    expect(targetOf(flags, 'dev', env)).toEqual(expected);
  });

  it('nowhere with the stage of npm start', () => {
    expect(() => targetOf({ stage: 'local' }, 'dev', {})).toThrow('npm run deploy:local for LocalStack');
  });

  it('not to an account by a forgotten variable, nor to an emulator', () => {
    expect(() => targetOf({ stage: 'prod' }, 'dev', { AWS_ENDPOINT_URL: 'http://localhost:4566' })).toThrow(
      'unset it to reach the account',
    );
    expect(() => targetOf({ local: true }, 'dev', { AWS_ENDPOINT_URL: 'localhost' })).toThrow('AWS_ENDPOINT_URL is no URL');
  });
});

describe('the environment', () => {
  it('of an account is what it is', () => {
    const env = { AWS_PROFILE: 'work', AWS_REGION: 'eu-central-1' };
    expect(environmentFor({ stage: 'dev' }, env, '/cdk')).toEqual(env);
  });

  it('of an emulator has nothing of the account in it', () => {
    const env = {
      PATH: '/bin',
      AWS_PROFILE: 'work',
      AWS_SESSION_TOKEN: 'secret',
      AWS_ACCESS_KEY_ID: 'AKIA',
      AWS_ENDPOINT_URL_SQS: 'http://other',
    };
    expect(environmentFor({ stage: 'localstack', endpoint: 'http://localhost:4566' }, env, '/cdk')).toEqual({
      PATH: '/bin',
      AWS_ENDPOINT_URL: 'http://localhost:4566',
      AWS_ENDPOINT_URL_S3: 'http://localhost:4566',
      AWS_S3_FORCE_PATH_STYLE: '1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: 'us-east-1',
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_ENVAR_ALLOWLIST: 'AWS_REGION,AWS_DEFAULT_REGION',
      CDK_HOME: '/cdk',
    });
  });
});

describe('secrets of the demo', () => {
  it.each(['crm/token', 'crm/api-token', 'billing/signing-key-v2'])('get the name that a connection asks for: %s', (name) => {
    expect(secretName(variableOf(name))).toBe(name);
  });
});

describe('what goes wrong', () => {
  /** Nothing of this machine: no credentials, no region, no endpoint. */
  const bare = { PATH: process.env.PATH ?? '', HOME: join(ROOT, 'cdk.out', 'nobody'), AWS_EC2_METADATA_DISABLED: 'true' };
  const run = async (file: string, args: string[], env: Record<string, string> = {}) => {
    const failed = await promisify(execFile)(process.execPath, [join(ROOT, 'infra', file), ...args], {
      cwd: ROOT,
      env: { ...bare, ...env },
    }).then(
      () => undefined,
      (error: { code: number; stderr: string }) => error,
    );
    return { code: failed?.code, said: failed?.stderr.trim() ?? '' };
  };
  const TOKEN = { HOLDFAST_API_TOKEN_SHA256: 'ab'.repeat(32) };

  it.each<[string, string, string[], Record<string, string>, string]>([
    ['an option that is none', 'deploy.ts', ['--stagee', 'dev'], {}, "Unknown option '--stagee'"],
    ['a stage that is none', 'deploy.ts', ['--stage', 'qa'], {}, 'holdfast.config.ts: stages: there is no stage "qa"'],
    ['no token', 'deploy.ts', [], {}, 'set HOLDFAST_API_TOKEN_SHA256 to the SHA-256 of your API token'],
    ['no region', 'deploy.ts', [], TOKEN, 'no region: set AWS_REGION'],
    ['no credentials', 'deploy.ts', [], { ...TOKEN, AWS_REGION: 'eu-central-1' }, 'no AWS credentials: set AWS_PROFILE'],
    ['nothing that answers', 'deploy.ts', ['--local'], { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }, 'docker compose up'],
    ['nothing to destroy it at', 'destroy.ts', [], { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }, 'nothing answers at http://127.0.0.1:1'],
  ])('is said without a stack, with what to do: %s', async (_, file, args, env, expected) => {
    const { code, said } = await run(file, args, env);
    expect(code).toBe(1);
    expect(said).toContain(expected);
    expect(said).not.toMatch(/^\s+at /m);
  });

  describe('asks nobody who is not there before it removes', () => {
    it.each([
      ['what has protection', 'CREATE_COMPLETE', true, true],
      ['what keeps something', 'CREATE_COMPLETE', false, true],
      // Its tables may be there, and its secrets: of an earlier stack.
      ['what was never made, of a stage that keeps something', 'ROLLBACK_COMPLETE', false, false],
    ])('%s', async (_, status, isProtected, made) => {
      const { code, said } = await run('destroy.ts', ['--local', '--stage', 'prod'], {
        AWS_ENDPOINT_URL: await cloudformation(status, isProtected, made),
      });
      expect({ code, said }).toEqual({ code: 1, said: 'nobody is there to be asked: add --yes' });
    });
  });
});

/** CloudFormation with one stack that keeps its table; whatever else is asked fails. */
async function cloudformation(status: string, isProtected: boolean, made: boolean): Promise<string> {
  const answer = (action: string, xml: string) => `<${action}Response><${action}Result>${xml}</${action}Result></${action}Response>`;
  const id = 'arn:aws:cloudformation:us-east-1:000000000000:stack/holdfast-prod/1';
  const answers: Record<string, string> = {
    DescribeStacks: answer(
      'DescribeStacks',
      `<Stacks><member><StackId>${id}</StackId><StackName>holdfast-prod</StackName><StackStatus>${status}</StackStatus>
        <CreationTime>2026-01-01T00:00:00Z</CreationTime><EnableTerminationProtection>${isProtected}</EnableTerminationProtection></member></Stacks>`,
    ),
    GetTemplate: answer('GetTemplate', '<TemplateBody>{"Resources":{"Runs":{"DeletionPolicy":"Retain"}}}</TemplateBody>'),
    ListStackResources: answer(
      'ListStackResources',
      made
        ? `<StackResourceSummaries><member><LogicalResourceId>Runs</LogicalResourceId><PhysicalResourceId>holdfast-prod-runs</PhysicalResourceId>
        <ResourceType>AWS::DynamoDB::Table</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member></StackResourceSummaries>`
        : '<StackResourceSummaries/>',
    ),
  };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += String(chunk);
    });
    request.on('end', () => {
      const answered = answers[new URLSearchParams(body).get('Action') ?? ''];
      response.writeHead(answered === undefined ? 400 : 200, { 'content-type': 'text/xml' }).end(answered);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
