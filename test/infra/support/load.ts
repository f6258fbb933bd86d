/** Loads a bundle as Lambda does: alone in its process, by its folder, with the environment that the template gives. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const ENVIRONMENT = {
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'example',
  HOLDFAST_STAGE: 'test',
  HOLDFAST_RUNS_TABLE: 'runs',
  HOLDFAST_CONNECTIONS_TABLE: 'connections',
  HOLDFAST_START_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/1/start',
  HOLDFAST_WAKE_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/1/wake',
  HOLDFAST_PAYLOADS_BUCKET: 'payloads',
  HOLDFAST_SECRETS: 'secrets-manager:holdfast/test/',
  HOLDFAST_FUNCTION_TIMEOUT_MS: '180000',
  HOLDFAST_RETENTION_DAYS: '30',
  HOLDFAST_API_TOKEN_SHA256: 'ab'.repeat(32),
  HOLDFAST_VAR_CRM: 'https://crm.example',
  HOLDFAST_VAR_BILLING: 'https://billing.example',
  HOLDFAST_VAR_MAILER: 'https://mailer.example',
};

export async function load(dir: string): Promise<{ exports: string[]; handler: string }> {
  const entry = pathToFileURL(join(dir, 'index.mjs')).href;
  const program = `const module = await import(${JSON.stringify(entry)});
    console.log(JSON.stringify({ exports: Object.keys(module), handler: typeof module.handler }));
    process.exit(0);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: dir,
    env: ENVIRONMENT,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) as string) as { exports: string[]; handler: string };
}
