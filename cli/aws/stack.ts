/** The stage's stack as CloudFormation knows it: its state, and the outputs by which everything else is found. */
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { stackName } from '../../infra/names.ts';
import { CliError, EXIT } from '../errors.ts';
import { clientConfig, type Env } from './config.ts';
import { awsError, placeOf } from './faults.ts';

export type StackState = { status: string; reason?: string; outputs: Readonly<Record<string, string>> };

/** Throws what the SDK throws. Undefined: there is none of that name in this region. */
export async function findStack(name: string, env: Env): Promise<StackState | undefined> {
  const client = new CloudFormationClient(clientConfig(env, 'CLOUDFORMATION'));
  try {
    const { Stacks } = await client.send(new DescribeStacksCommand({ StackName: name }));
    const stack = Stacks?.[0];
    if (!stack) return undefined;
    const outputs = (stack.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]);
    return {
      status: stack.StackStatus ?? 'UNKNOWN',
      ...(stack.StackStatusReason === undefined ? {} : { reason: stack.StackStatusReason }),
      outputs: Object.fromEntries(outputs),
    };
  } catch (error) {
    // https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html: no code of its own for it.
    if (/does not exist/i.test((error as Error).message)) return undefined;
    throw error;
  } finally {
    client.destroy();
  }
}

/** An output of the stage's stack. Throws with what to do: no credentials, no stack, an older stack. */
export async function stageOutput(stage: string, output: string, env: Env): Promise<string> {
  const name = stackName(stage);
  const place = placeOf(clientConfig(env, 'CLOUDFORMATION'), env);
  const where = place.endpoint ?? place.region ?? 'the region of your profile';
  const stack = await findStack(name, env).catch((error: unknown) => {
    throw awsError(`the stack ${name} cannot be asked for its ${output}`, error, place);
  });
  if (!stack) {
    throw new CliError(EXIT.unreachable, `there is no stack ${name} at ${where}`, {
      remedy: `Deploy it (${deployCommand(stage)}), or set AWS_REGION and AWS_PROFILE to where it is, or give --url`,
    });
  }
  const value = stack.outputs[output];
  if (value !== undefined) return value;
  throw new CliError(EXIT.unreachable, `the stack ${name} (${stack.status}) has no output ${output}`, {
    remedy: `Deploy it again: ${deployCommand(stage)}`,
  });
}

export const deployCommand = (stage: string): string =>
  stage === 'localstack' ? 'npm run deploy:local' : `npm run deploy -- --stage ${stage}`;

export async function apiUrlOfStage(stage: string, env: Env): Promise<string> {
  return reachableUrl(await stageOutput(stage, 'ApiUrl', env), clientConfig(env, 'CLOUDFORMATION').endpoint);
}

/** An emulator gives the URL that AWS would: its own is made of the API's id and stage. */
export function reachableUrl(apiUrl: string, endpoint: string | undefined): string {
  const { hostname, pathname } = new URL(apiUrl);
  const id = hostname.split('.')[0];
  const stage = pathname.split('/')[1];
  return endpoint === undefined ? apiUrl.replace(/\/+$/, '') : `${endpoint.replace(/\/+$/, '')}/restapis/${id}/${stage}/_user_request_`;
}
