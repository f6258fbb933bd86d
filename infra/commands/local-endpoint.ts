/** What an endpoint that is not AWS needs before a stack can be deployed to it: that it answers, and CDK's own bucket and roles. */
import { CommandError } from './program.ts';
import { DEFAULT_ENDPOINT, type Target } from './target.ts';

/** What emulators call the account that everything is in. */
const ACCOUNT = '000000000000';
const ANSWERS_MS = 3_000;

/** Throws what to start. */
export async function checkEndpoint({ endpoint = '' }: Target, fetch: typeof globalThis.fetch = globalThis.fetch): Promise<void> {
  try {
    await fetch(`${endpoint}/_localstack/health`, { signal: AbortSignal.timeout(ANSWERS_MS) });
  } catch (error) {
    const given = endpoint === DEFAULT_ENDPOINT ? '' : ', where AWS_ENDPOINT_URL points';
    throw new CommandError(
      [
        `nothing answers at ${endpoint}${given}. Start something that serves the LocalStack API, for instance:`,
        '  docker compose up --detach --wait     LocalStack, with Docker; or MiniStack, without it:',
        '  python3 -m venv .localstack/venv && .localstack/venv/bin/pip install ministack==1.5.33',
        '  PATH=$PWD/node_modules/.bin:$PATH BIND_HOST=127.0.0.1 LAMBDA_EXECUTOR=local .localstack/venv/bin/ministack',
        'and run the same command again.',
      ].join('\n'),
      { cause: error },
    );
  }
}

export const bootstrapArguments = (env: Readonly<Record<string, string>>): string[] => ['bootstrap', `aws://${ACCOUNT}/${env.AWS_REGION}`];
