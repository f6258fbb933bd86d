/** Checks of the account or emulator: credentials, endpoint, bootstrap, and the stage's stack. Each is a finding of one or two requests. */
import { stackName } from '../../infra/names.ts';
import { clientConfig } from '../aws/config.ts';
import { type AwsFault, awsFault, placeOf, REMEDIES } from '../aws/faults.ts';
import { deployCommand, findStack, type StackState } from '../aws/stack.ts';
import { type Finding, fail, ok, type Patient, skip, warn } from './finding.ts';

/** What `cdk bootstrap` leaves. */
const BOOTSTRAP_STACK = 'CDKToolkit';

export type Account = { findings: Finding[]; stack: StackState | undefined };

export async function checkAccount({ outside: { env }, settings: { stage } }: Patient): Promise<Account> {
  const config = clientConfig(env, 'CLOUDFORMATION');
  const place = placeOf(config, env);
  const where = place.endpoint ?? (place.region === undefined ? 'AWS' : `AWS, ${place.region}`);
  const name = stackName(stage);
  const rest = [skip('bootstrap', 'not asked'), skip('stack', 'not asked')];
  let bootstrap: StackState | undefined;
  let stack: StackState | undefined;
  try {
    // One after the other: a fault of the first is the fault of both.
    bootstrap = await findStack(BOOTSTRAP_STACK, env);
    stack = await findStack(name, env);
  } catch (error) {
    const fault = awsFault(error);
    const remedy = REMEDIES[fault](place);
    const said = `${(error as Error).name}: ${(error as Error).message.split('\n')[0]}`;
    if (fault === 'endpoint')
      return {
        findings: [skip('credentials', 'not asked'), fail('endpoint', `${where} does not answer (${codeOf(error)})`, remedy), ...rest],
        stack,
      };
    if (fault === 'permission') {
      return {
        findings: [ok('endpoint', `${where} answers`), fail('credentials', `they may not read stacks (${said})`, remedy), ...rest],
        stack,
      };
    }
    return {
      findings: [fail('credentials', `${WRONG[fault] ?? 'AWS refused'} (${said})`, remedy), skip('endpoint', 'not asked'), ...rest],
      stack,
    };
  }
  return {
    findings: [
      ok('credentials', config.credentials?.accessKeyId === 'test' ? 'any will do for an emulator' : 'valid'),
      ok('endpoint', `${where} answers`),
      bootstrapFinding(bootstrap, stage, where),
      stackFinding(stack, name, stage, where),
    ],
    stack,
  };
}

const WRONG: Partial<Record<AwsFault, string>> = {
  credentials: 'there are none',
  expired: 'they have expired',
  refused: 'they are not known there',
  region: 'no region is set',
};

function codeOf(error: unknown): string {
  const { code, name, errors } = error as Error & { code?: string; errors?: Array<{ code?: string }> };
  return code ?? errors?.[0]?.code ?? name;
}

function bootstrapFinding(bootstrap: StackState | undefined, stage: string, where: string): Finding {
  const remedy = stage === 'localstack' ? 'npm run deploy:local does it by itself' : 'Once for each account and region: npx cdk bootstrap';
  if (bootstrap) return ok('bootstrap', `${BOOTSTRAP_STACK} is ${bootstrap.status}`);
  return warn('bootstrap', `${where} is not bootstrapped for the CDK`, remedy);
}

function stackFinding(stack: StackState | undefined, name: string, stage: string, where: string): Finding {
  const deploy = deployCommand(stage);
  if (!stack)
    return fail('stack', `${name} is not deployed at ${where}`, `Deploy it: ${deploy}. If it is elsewhere, set AWS_REGION and AWS_PROFILE`);
  const { status } = stack;
  const said = `${name} is ${status}${!stack.reason ? '' : `: ${stack.reason}`}`;
  if (status.endsWith('_IN_PROGRESS')) return warn('stack', said, 'Wait until that has ended');
  if (status === 'UPDATE_ROLLBACK_COMPLETE')
    return warn('stack', said, `The last deployment was taken back: see its events, then ${deploy}`);
  if (status === 'CREATE_COMPLETE' || status === 'UPDATE_COMPLETE' || status === 'IMPORT_COMPLETE') return ok('stack', said);
  return fail(
    'stack',
    said,
    `See its events in CloudFormation; a stack that never came up is deleted (npm run destroy -- --stage ${stage}) and deployed anew`,
  );
}
