/** Where a command goes and as whom: from its options, then the environment, then the defaults. Pure. */
import { usage } from './errors.ts';

export type GlobalOptions = { stage?: string; url?: string; token?: string; json?: boolean };

export type Settings = {
  stage: string;
  /** Absent: an output of the stage's stack. */
  url: string | undefined;
  token: string | undefined;
  json: boolean;
};

type Env = Readonly<Record<string, string | undefined>>;

export const LOCAL = 'local';
/** The token whose hash these stages are configured with. */
const DEV_TOKEN = 'local-dev';
const LOCALSTACK = 'localstack';
const OPEN_STAGES: readonly string[] = [LOCAL, LOCALSTACK];

/** Throws a usage error that names the option or variable. */
export function readSettings(options: GlobalOptions, env: Env): Settings {
  const stage = options.stage ?? (env.HOLDFAST_STAGE || LOCAL);
  if (!/^[a-z][a-z0-9-]{0,15}$/.test(stage)) {
    throw usage(`"${stage}" cannot be a stage`, '--stage (HOLDFAST_STAGE) is one of the names in holdfast.config.ts');
  }
  const url = options.url ?? (env.HOLDFAST_URL || undefined) ?? (stage === LOCAL ? localUrl(env) : undefined);
  if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw usage(
      `"${url}" is not the URL of an API`,
      '--url (HOLDFAST_URL) is something like https://abc.execute-api.eu-west-1.amazonaws.com/dev',
    );
  }
  return {
    stage,
    url: url?.replace(/\/+$/, ''),
    token: options.token ?? (env.HOLDFAST_TOKEN || (OPEN_STAGES.includes(stage) ? DEV_TOKEN : undefined)),
    json: options.json === true,
  };
}

const localUrl = (env: Env): string => `http://127.0.0.1:${env.HOLDFAST_PORT || 3000}`;

/** Where `npm run deploy:local` deploys to, unless the environment says. */
const LOCALSTACK_URL = 'http://localhost:4566';

/** The environment as the stage means it: nothing of the stage localstack is ever looked for in a real account. */
export function environmentOf(stage: string, env: Env): Env {
  return stage === LOCALSTACK && !env.AWS_ENDPOINT_URL ? { ...env, AWS_ENDPOINT_URL: LOCALSTACK_URL } : env;
}

/** Where the embedded cloud's AWS API is, unless the environment says. */
export const localAwsUrl = (env: Env): string => env.AWS_ENDPOINT_URL || `http://127.0.0.1:${env.HOLDFAST_AWS_PORT || 4566}`;
