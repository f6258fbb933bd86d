/** The template as `npm start` and the CDK's CLI get it: by running the app. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ROOT } from '../../infra/bundle.ts';
import { synthesise } from '../../infra/synthesise.ts';
import { load } from './support/load.ts';

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-synthesis-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

describe('synthesis', () => {
  it('gives a template whose functions name the folders of bundles that load', async () => {
    const began = performance.now();
    const { dir, template } = await synthesise('local', folder(), { HOLDFAST_DEMO_PORT: '4321' });
    console.log(`synthesis of stage local: ${Math.round(performance.now() - began)} ms`);
    const functions = Object.values(template.Resources).filter(({ Type }) => Type === 'AWS::Lambda::Function');
    expect(functions).toHaveLength(4);
    for (const { Metadata, Properties } of functions) {
      const asset = join(dir, String(Metadata?.['aws:asset:path']));
      expect((await stat(asset)).isDirectory()).toBe(true);
      expect(await load(asset)).toEqual({ exports: ['handler'], handler: 'function' });
      expect(Properties?.Environment).toMatchObject({ Variables: { HOLDFAST_VAR_CRM: 'http://127.0.0.1:4321/crm' } });
    }
    expect(await readFile(join(dir, 'manifest.json'), 'utf8')).toContain('holdfast-local');
  });

  it('takes the stage from the context, as the CLI gives it', async () => {
    const dir = folder();
    await promisify(execFile)(process.execPath, [join(ROOT, 'infra', 'app.ts')], {
      cwd: ROOT,
      env: {
        ...process.env,
        CDK_OUTDIR: dir,
        CDK_CONTEXT_JSON: JSON.stringify({ stage: 'prod' }),
        HOLDFAST_API_TOKEN_SHA256: 'ab'.repeat(32),
      },
    });
    expect((await stat(join(dir, 'holdfast-prod.template.json'))).isFile()).toBe(true);
  });

  it('fails with the faults alone, one a line, for a stage that lacks its token or is not there', async () => {
    await expect(synthesise('prod', folder(), { HOLDFAST_API_TOKEN_SHA256: '' })).rejects.toThrow(
      /^holdfast\.config\.ts: stages\.prod\.auth\.tokenHashes: set HOLDFAST_API_TOKEN_SHA256 to the SHA-256 of your API token: [^\n]+$/,
    );
    await expect(synthesise('qa', folder())).rejects.toThrow(/^holdfast\.config\.ts: stages: there is no stage "qa"[^\n]+$/);
  });
});
