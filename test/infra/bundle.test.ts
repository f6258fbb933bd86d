/** What is deployed of each function: that it loads, what a cold start reads of it, and how much that is. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundle, bundleAll } from '../../infra/bundle.ts';
import { bundleSize, eagerFiles, eagerPackages } from '../../infra/bundle-size.ts';
import { FUNCTIONS, type FunctionName } from '../../infra/settings.ts';
import { load } from './support/load.ts';

let dir: string;
let bundles: Record<FunctionName, Bundle>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'holdfast-bundles-'));
  bundles = await bundleAll(dir);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** What every request of the worker needs. Anything else of AWS loads when it is first used. */
const EAGER_CLIENTS = ['@aws-sdk/client-dynamodb', '@aws-sdk/client-sqs'];

describe.each(FUNCTIONS)('the bundle of %s', (name) => {
  it('loads in a process of its own, with nothing but the folder and the environment of a function, and exports a handler', async () => {
    expect(await load(bundles[name].dir)).toEqual({ exports: ['handler'], handler: 'function' });
  });

  it('reads no client of AWS at a cold start but those of DynamoDB and SQS', () => {
    const clients = [...eagerPackages(bundles[name]).keys()].filter((one) => one.startsWith('@aws-sdk/client-'));
    expect(clients.sort()).toEqual(EAGER_CLIENTS);
  });

  it('holds no second copy of the library and no test tools', () => {
    const inputs = Object.keys(bundles[name].metafile.inputs);
    expect(inputs.filter((input) => /^(test|local|infra\/(?!lean-undici)|src\/testing)\//.test(input))).toEqual([]);
    expect(inputs.filter((input) => input.startsWith('node_modules/holdfast/'))).toEqual([]);
  });
});

describe('the worker’s bundle', () => {
  it('is at most 350 KB gzipped, with at most 92 KB of our own code (docs/decisions/0036-own-code.md)', async () => {
    const { eagerGzip, totalGzip, ownGzip, own, packages } = await bundleSize(bundles.worker);
    const kb = (bytes: number) => `${(bytes / 1_000).toFixed(1)} KB`;
    const largest = Object.entries(packages).slice(0, 5);
    console.log(
      `worker, gzipped: ${kb(eagerGzip)} read at a cold start, of which ours ${kb(ownGzip)}; ${kb(totalGzip)} in all. ` +
        `Minified: ours ${kb(own)}, ${largest.map(([one, bytes]) => `${one} ${kb(bytes)}`).join(', ')}`,
    );
    expect(eagerGzip).toBeLessThanOrEqual(350_000);
    expect(ownGzip).toBeLessThanOrEqual(92_000);
  });

  it('keeps the names of classes, which errors carry', async () => {
    const files = eagerFiles(bundles.worker).map((file) => join(bundles.worker.dir, basename(file)));
    const code = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
    expect(/\bHoldfastError ?= ?class extends Error|class HoldfastError extends Error/.test(code)).toBe(true);
    // A class that speaks of itself is bundled as `X = class _X`, and would say that it is `_X`.
    const disguised = code.match(/\bclass _(HoldfastError\b|\w+ extends HoldfastError\b)/g) ?? [];
    expect(disguised).toEqual([]);
  });

  it('has source maps when they are asked for', async () => {
    const mapped = await bundle('sweeper', join(dir, 'mapped'), { sourcemap: true });
    expect(JSON.parse(await readFile(join(mapped.dir, 'index.mjs.map'), 'utf8')).sources).toEqual(
      expect.arrayContaining([expect.stringMatching(/functions\/sweeper\.ts$/)]),
    );
  });
});

describe('bundling', () => {
  it('gives the same bytes for the same code, wherever it is written to', async () => {
    const again = await bundle('sweeper', join(dir, 'elsewhere', 'deeper'));
    const names = (made: Bundle) =>
      Object.keys(made.metafile.outputs)
        .map((file) => basename(file))
        .sort();
    expect(names(again)).toEqual(names(bundles.sweeper));
    for (const name of names(again)) {
      expect(await readFile(join(again.dir, name), 'utf8')).toBe(await readFile(join(bundles.sweeper.dir, name), 'utf8'));
    }
  });

  it('fails for a function that is not there, and says so', async () => {
    await expect(bundle('nothing', join(dir, 'nothing'))).rejects.toThrow(/functions\/nothing\.ts/);
  });
});
