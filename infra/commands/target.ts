/** Where a command goes: to the account that the environment names, or to an endpoint that serves the LocalStack API. Pure. */
import { EMBEDDED_STAGE, LOCALSTACK_STAGE } from '../names.ts';
import { CommandError } from './program.ts';

export type Env = Readonly<Record<string, string | undefined>>;
export type Target = { stage: string; endpoint?: string };

export const DEFAULT_ENDPOINT = 'http://localhost:4566';
const DEFAULT_REGION = 'us-east-1';

/** `stage`, `local`: as given on the command line. */
export function targetOf(
  { stage, local }: { stage?: string | undefined; local?: boolean | undefined },
  fallback: string,
  env: Env,
): Target {
  const name = stage || env.HOLDFAST_STAGE || (local ? LOCALSTACK_STAGE : fallback);
  if (name === EMBEDDED_STAGE) {
    throw new CommandError(
      `the stage "${EMBEDDED_STAGE}" is the one of npm start, and is not deployed: use --stage, or npm run deploy:local for LocalStack`,
    );
  }
  if (!local && name !== LOCALSTACK_STAGE) {
    if (!env.AWS_ENDPOINT_URL) return { stage: name };
    throw new CommandError(
      `AWS_ENDPOINT_URL is set to ${env.AWS_ENDPOINT_URL}: unset it to reach the account, or add --local if you mean what answers there`,
    );
  }
  const endpoint = env.AWS_ENDPOINT_URL || DEFAULT_ENDPOINT;
  if (!URL.canParse(endpoint)) throw new CommandError(`AWS_ENDPOINT_URL is no URL: ${endpoint}`);
  return { stage: name, endpoint: endpoint.replace(/\/$/, '') };
}

/** The environment for CDK and the SDK. What people have set for their account must not reach an emulator, and the other way round. */
export function environmentFor({ endpoint }: Target, env: Env, cdkHome: string): Record<string, string> {
  const given = Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
  if (endpoint === undefined) return given;
  for (const name of Object.keys(given)) {
    if (/^(AWS_PROFILE|AWS_DEFAULT_PROFILE|AWS_SESSION_TOKEN|AWS_ENDPOINT_URL_\w+)$/.test(name)) delete given[name];
  }
  const region = given.AWS_REGION || given.AWS_DEFAULT_REGION || DEFAULT_REGION;
  return {
    ...given,
    AWS_ENDPOINT_URL: endpoint,
    // cdklocal asks for both, and for paths: names of buckets under localhost resolve nowhere.
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_S3_FORCE_PATH_STYLE: '1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    // It removes every other variable of AWS's.
    AWS_ENVAR_ALLOWLIST: 'AWS_REGION,AWS_DEFAULT_REGION',
    // What CDK remembers of accounts: an emulator's are all the same one.
    CDK_HOME: cdkHome,
  };
}
