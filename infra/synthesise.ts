/** Synthesis as a function: the cloud assembly of a stage in a folder, made by a process of its own, as the CDK's own CLI would. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ROOT } from './bundle.ts';
import { templateFile } from './names.ts';

export type Template = {
  Resources: Record<string, { Type: string; Properties?: Record<string, unknown>; Metadata?: Record<string, unknown> }>;
};
export type Synthesis = { dir: string; template: Template };

/**
 * `dir` gets the template and the bundles it names. `env` is added to this process's own: HOLDFAST_API_TOKEN_SHA256, HOLDFAST_DEMO_PORT, ….
 * Rejects with what synthesis found wrong, one line for each fault.
 */
export async function synthesise(stage: string, dir: string, env: Readonly<Record<string, string>> = {}): Promise<Synthesis> {
  const outdir = resolve(dir);
  const child = spawn(process.execPath, [join(ROOT, 'infra', 'app.ts')], {
    cwd: ROOT,
    env: { ...process.env, ...env, HOLDFAST_STAGE: stage, CDK_OUTDIR: outdir },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const code = await new Promise<number | null>((done, failed) => child.once('error', failed).once('close', done));
  if (code !== 0) throw new Error(complaint.trim() || `synthesis of stage "${stage}" ended with exit code ${code}`);
  return { dir: outdir, template: JSON.parse(await readFile(join(outdir, templateFile(stage)), 'utf8')) as Template };
}
