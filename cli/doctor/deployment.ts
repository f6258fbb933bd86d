/** Checks of what runs: the API answers, knows the token, and is the version of this working tree. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiClient } from '../api.ts';
import { clientConfig } from '../aws/config.ts';
import { deployCommand, reachableUrl, type StackState } from '../aws/stack.ts';
import { CliError } from '../errors.ts';
import { LOCAL } from '../settings.ts';
import { type Finding, fail, ok, type Patient, skip, warn } from './finding.ts';

/** `stack`: undefined on the stage local, and where it is not deployed. */
export async function checkDeployment(patient: Patient, stack: StackState | undefined): Promise<Finding[]> {
  const { settings, outside } = patient;
  const local = settings.stage === LOCAL;
  const output = stack?.outputs.ApiUrl;
  const url =
    settings.url ?? (output === undefined ? undefined : reachableUrl(output, clientConfig(outside.env, 'CLOUDFORMATION').endpoint));
  if (url === undefined) return ['api', 'token', 'version'].map((check) => skip(check, 'there is no URL to ask'));
  const api = apiClient({ url, token: settings.token, stage: settings.stage });
  let health: { version?: string };
  try {
    health = await api.get('/healthz');
  } catch (error) {
    const { message, remedy = '' } = error as CliError;
    // Nobody has to have it running in order to be well.
    const finding = local ? warn('api', message, remedy) : fail('api', message, remedy);
    return [finding, skip('token', 'not asked'), skip('version', 'not asked')];
  }
  return [
    ok('api', `${url} answers`),
    await tokenFinding(patient, () => api.get('/v1/workflows')),
    await versionFinding(patient, stack?.outputs.Version ?? health.version),
  ];
}

async function tokenFinding({ settings: { token, stage } }: Patient, ask: () => Promise<unknown>): Promise<Finding> {
  if (token === undefined) {
    return fail(
      'token',
      'none is given',
      `Give it with HOLDFAST_TOKEN or --token; make one: npx holdfast token create --stage ${stage} --name me`,
    );
  }
  try {
    await ask();
    return ok('token', 'valid');
  } catch (error) {
    const { message, remedy = 'See npx holdfast token list', data } = error as CliError;
    if (error instanceof CliError && data.status === 403) return warn('token', `valid, but without the scope read`, remedy);
    return fail('token', message, remedy);
  }
}

async function versionFinding({ settings: { stage } }: Patient, deployed: string | undefined): Promise<Finding> {
  const remedy =
    stage === LOCAL
      ? 'npm run dev reloads by itself; start npm start anew'
      : `Deploy this one (${deployCommand(stage)}), or check out what is deployed`;
  if (deployed === undefined) return warn('version', 'what is deployed does not tell its version', remedy);
  const here = await versionHere();
  if (deployed === here) return ok('version', `${deployed}, that of this working tree`);
  const found = `${deployed} is deployed, and this working tree is ${here}`;
  // With --inspect the bundles have source maps, and so another version.
  return stage === LOCAL ? warn('version', found, remedy) : fail('version', found, remedy);
}

/** What a deployment of this working tree would be: of its bundles, made for nothing else. */
async function versionHere(): Promise<string> {
  const [{ bundleAll }, { deployedVersion }] = await Promise.all([import('../../infra/bundle.ts'), import('../../infra/version.ts')]);
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-version-'));
  try {
    const bundles = await bundleAll(dir);
    return await deployedVersion(Object.fromEntries(Object.entries(bundles).map(([name, bundle]) => [name, bundle.dir])));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
