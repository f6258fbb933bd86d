/** `npm run destroy`: removes a stage. Asks where there is something to lose, says what stays, and leaves nothing of a disposable one. */
import { createInterface } from 'node:readline/promises';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { CDK_HOME } from './commands/cdk.ts';
import { checkEndpoint } from './commands/local-endpoint.ts';
import { CommandError, columns, program, readFlags, say } from './commands/program.ts';
import { deleteSecrets, emptyBucket } from './commands/remains.ts';
import { deleteStack, findStack, reachable, type StackResource, stackResources } from './commands/stack-state.ts';
import { environmentFor, targetOf } from './commands/target.ts';
import { LOCALSTACK_STAGE, stackName } from './names.ts';

const HELP = `Usage: npm run destroy -- [options]

  --stage NAME   the stage to remove (HOLDFAST_STAGE); default localstack
  --local        what was deployed by npm run deploy:local; always so for the stage localstack
  --yes          do not ask
  --help         this

A disposable stage goes with everything in it. Of any other, tables, queues, the bucket and the deployment key are kept, and listed at the
end; it asks for the stage's name first.
`;

await program(async () => {
  const flags = readFlags(process.argv.slice(2), HELP, {
    help: { type: 'boolean', short: 'h' },
    stage: { type: 'string' },
    local: { type: 'boolean' },
    yes: { type: 'boolean', short: 'y' },
  });
  if (flags.help) return say(HELP);
  const target = targetOf(flags, LOCALSTACK_STAGE, process.env);
  Object.assign(process.env, environmentFor(target, process.env, CDK_HOME));
  if (target.endpoint !== undefined) await checkEndpoint(target);
  const cloudformation = new CloudFormationClient({});
  const where = target.endpoint ?? (await cloudformation.config.region().catch((error: unknown) => Promise.reject(reachable(error))));
  const name = stackName(target.stage);
  const stack = await findStack(cloudformation, name);
  if (!stack) return say(`there is no stack ${name} at ${where}: nothing to destroy`);

  // As it was deployed, whatever the configuration says by now.
  const { resources, disposable: byTemplate } = await stackResources(cloudformation, stack.id);
  const kept = resources.filter(({ retained }) => retained);
  const disposable = byTemplate && !stack.isProtected;
  if (!disposable && !flags.yes) await confirm(target.stage, kept);

  say(`removing ${name} at ${where}`);
  const empty = async () => {
    for (const { name: bucket } of resources.filter(({ type, retained }) => type === 'AWS::S3::Bucket' && !retained)) {
      const objects = await emptyBucket(new S3Client({ forcePathStyle: target.endpoint !== undefined }), bucket);
      if (objects > 0) say(`  ${objects} objects deleted from ${bucket}`);
    }
  };
  const remove = async () => {
    await empty();
    await deleteStack(cloudformation, stack, (resource) => say(`  deleted ${resource}`));
  };
  // A function that was still at work may have put an object after its bucket was emptied.
  await remove().catch((error: unknown) => {
    if (!(error instanceof CommandError) || !/AWS::S3::Bucket/.test(error.message)) throw error;
    return remove();
  });
  if (disposable) {
    const secrets = await deleteSecrets(new SecretsManagerClient({}), `holdfast/${target.stage}/`);
    for (const secret of secrets) say(`  deleted secret ${secret}`);
  }
  say(
    `\nstage ${target.stage} is gone${kept.length > 0 ? `; this was kept, and costs what it holds:\n${listed(kept)}` : ', with everything in it'}`,
  );
  if (kept.length > 0) {
    say('next: docs/deploy.md says how to take it over again, and how to delete it for good');
  } else {
    say(`next: npm run deploy${target.endpoint === undefined ? '' : ':local'} -- --stage ${target.stage} makes it anew`);
  }
});

async function confirm(stage: string, kept: readonly StackResource[]): Promise<void> {
  say(
    `stage "${stage}" is not disposable. Its API, functions, schedule and alarms go: runs under way stand still until it is deployed again.`,
  );
  if (kept.length > 0) say(`This stays:\n${listed(kept)}`);
  if (!process.stdin.isTTY) throw new CommandError('nobody is there to be asked: add --yes');
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`\nType the name of the stage to remove it: `).finally(() => terminal.close());
  if (answer.trim() !== stage) throw new CommandError('nothing was removed');
}

function listed(resources: readonly StackResource[]): string {
  return columns(resources.map(({ type, name }) => [type, name]));
}
