/** `npm run deploy` and `npm run deploy:local`: one stage, to the account in the environment or to what serves the LocalStack API. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import config from '../holdfast.config.ts';
import { ROOT } from './bundle.ts';
import { CDK_HOME, cdk, outputOf } from './commands/cdk.ts';
import { createSecrets } from './commands/demo-secrets.ts';
import { bootstrapArguments, checkEndpoint } from './commands/local-endpoint.ts';
import { CommandError, columns, program, readFlags, say } from './commands/program.ts';
import { findStack, reachable } from './commands/stack-state.ts';
import { environmentFor, type Target, targetOf } from './commands/target.ts';
import { resolveStage, type Stage, secretsPrefix } from './config.ts';
import { LOCALSTACK_STAGE, stackName } from './names.ts';

const HELP = `Usage: npm run deploy -- [options]          to the AWS account in the environment
       npm run deploy:local -- [options]    to what serves the LocalStack API at AWS_ENDPOINT_URL, or at http://localhost:4566

  --stage NAME   a stage of holdfast.config.ts (HOLDFAST_STAGE); default dev, and localstack for deploy:local
  --yes          do not ask before permissions are broadened
  --help         this

Deploying again changes what differs. docs/deploy.md has the steps from an empty account.
`;

const CDK_STACK = 'CDKToolkit';
/** Anybody who reads the documentation could use it. */
const PUBLIC_TOKEN = createHash('sha256').update('local-dev').digest('hex');

await program(async () => {
  const flags = readFlags(process.argv.slice(2), HELP, {
    help: { type: 'boolean', short: 'h' },
    stage: { type: 'string' },
    local: { type: 'boolean' },
    yes: { type: 'boolean', short: 'y' },
  });
  if (flags.help) return say(HELP);
  const target = targetOf(flags, 'dev', process.env);
  const stage = resolveStage(config, target.stage, process.env);
  if (target.endpoint === undefined && stage.tokenHashes.includes(PUBLIC_TOKEN)) {
    throw new CommandError(`stage "${stage.name}" has the token "local-dev", which everybody knows: it is for this machine alone`);
  }
  const env = environmentFor(target, process.env, CDK_HOME);
  Object.assign(process.env, env);
  const cloudformation = new CloudFormationClient({});
  // CDK would take us-east-1 where the SDK finds no region: both must look at the same one.
  env.AWS_REGION = await cloudformation.config.region().catch((error: unknown) => Promise.reject(reachable(error)));
  await prepare(cloudformation, target, env);

  say(`deploying stage ${stage.name} to ${target.endpoint ?? `the account in the environment, ${env.AWS_REGION}`}`);
  if (target.endpoint !== undefined && stage.disposable) await secrets(stage);
  await cdk(
    [
      ...['deploy', stackName(stage.name), '--context', `stage=${stage.name}`, '--output', outputOf(stage.name), '--strict'],
      ...['--require-approval', flags.yes || target.endpoint !== undefined ? 'never' : 'broadening'],
    ],
    target,
    { ...env, HOLDFAST_STAGE: stage.name },
  );
  const deployed = await findStack(cloudformation, stackName(stage.name));
  if (!deployed) throw new CommandError(`${stackName(stage.name)} is not there although CDK deployed it: look at CloudFormation`);
  say(`\nstage ${stage.name} is deployed\n${columns(Object.entries(reached(deployed.outputs, target)))}\n\n${next(target, stage)}`);
});

/** Throws when the account was never prepared; prepares an emulator. */
async function prepare(cloudformation: CloudFormationClient, target: Target, env: Record<string, string>): Promise<void> {
  if (target.endpoint !== undefined) await checkEndpoint(target);
  if (await findStack(cloudformation, CDK_STACK)) return;
  if (target.endpoint === undefined) {
    throw new CommandError(
      `this account has no ${CDK_STACK} stack in ${env.AWS_REGION}: once for each account and region, somebody who may create roles runs\n` +
        `  npx cdk bootstrap aws://ACCOUNT/${env.AWS_REGION}`,
    );
  }
  say('preparing it for CDK');
  await mkdir(CDK_HOME, { recursive: true });
  // Where there is no cdk.json: nothing of the project has to be synthesised for it.
  await cdk(bootstrapArguments(env), target, env, CDK_HOME);
}

async function secrets(stage: Stage): Promise<void> {
  const prefix = secretsPrefix(stage);
  if (prefix === undefined) return;
  const made = await createSecrets(new SecretsManagerClient({}), prefix);
  if (made.length > 0) say(`secrets made: ${made.join(', ')}`);
}

/** An emulator's REST API has a name that resolves nowhere: it is reached by its path. */
function reached(outputs: Readonly<Record<string, string>>, { endpoint }: Target): Readonly<Record<string, string>> {
  const [, id, path] = /^https?:\/\/([a-z0-9]+)\.execute-api\.[^/]*\/([\w-]+)/.exec(outputs.ApiUrl ?? '') ?? [];
  if (endpoint === undefined || id === undefined) return outputs;
  return { ...outputs, ApiUrl: `${endpoint}/restapis/${id}/${path}/_user_request_` };
}

function next({ endpoint }: Target, { name, secrets: location }: Stage): string {
  if (name === LOCALSTACK_STAGE) {
    return [
      'next: npm run demo in another terminal, for the examples to have something to call; then',
      `  npx holdfast run onboard-customer --stage ${name} --input '${sampleInput()}'`,
      'and when you are done: npm run destroy',
    ].join('\n');
  }
  return [
    `secrets are read from ${location}NAME`,
    `next: HOLDFAST_TOKEN=… npx holdfast doctor --stage ${name}`,
    ...(endpoint === undefined ? [] : [`and when you are done: npm run destroy -- --local --stage ${name}`]),
  ].join('\n');
}

function sampleInput(): string {
  const { input } = JSON.parse(readFileSync(join(ROOT, 'events', 'onboard-customer.json'), 'utf8')) as { input: unknown };
  return JSON.stringify(input);
}
