/** `cdklocal` against an endpoint. Knows commands and their environment, and nothing of what is deployed. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../../../infra/bundle.ts';
import { command } from './command.ts';

export const REGION = 'us-east-1';
export const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' } as const;
/** Everybody's in an emulator. */
const ACCOUNT = '000000000000';
const HOME = join(ROOT, '.localstack');
/** A deployment takes ten seconds on an idle machine. */
const LONGEST_MS = 300_000;

export type Cdk = {
  /** What all stacks of the account share; does nothing where it is there. */
  bootstrap(): Promise<void>;
  /** `assembly`: a folder that was synthesised. */
  deploy(assembly: string): Promise<void>;
  destroy(assembly: string): Promise<void>;
};

export function cdklocal(url: string): Cdk {
  const run = async (...args: string[]) => {
    await mkdir(HOME, { recursive: true });
    await command(process.execPath, [join(ROOT, 'node_modules', 'aws-cdk-local', 'bin', 'cdklocal'), ...args, '--no-notices'], {
      // Where there is no cdk.json: its app is not what is deployed here.
      cwd: HOME,
      ms: LONGEST_MS,
      env: {
        AWS_ENDPOINT_URL: url,
        AWS_ENDPOINT_URL_S3: url,
        AWS_S3_FORCE_PATH_STYLE: '1',
        AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
        AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
        AWS_SESSION_TOKEN: undefined,
        AWS_PROFILE: undefined,
        AWS_REGION: REGION,
        AWS_DEFAULT_REGION: REGION,
        // cdklocal clears what begins with AWS_ unless it is named here.
        AWS_ENVAR_ALLOWLIST: 'AWS_REGION,AWS_DEFAULT_REGION',
        CDK_HOME: join(HOME, 'cdk'),
        CDK_DISABLE_CLI_TELEMETRY: 'true',
        CI: '1',
      },
    });
  };
  return {
    bootstrap: () => run('bootstrap', `aws://${ACCOUNT}/${REGION}`),
    deploy: (assembly) => run('deploy', '--app', assembly, '--all', '--require-approval', 'never'),
    destroy: (assembly) => run('destroy', '--app', assembly, '--all', '--force'),
  };
}
