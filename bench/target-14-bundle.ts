/**
 * Target 14: what the worker's bundle weighs, whose weight it is, and how long a fresh process takes to load it, against a bundle of the
 * two AWS clients alone that is made the same way. Loaded in turns, each time by a process of its own.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { bundle } from '../infra/bundle.ts';
import { bundleSize } from '../infra/bundle-size.ts';
import type { Benchmark } from './support/benchmark.ts';
import { fixed, median, spread } from './support/stats.ts';

const run = promisify(execFile);

/** Enough for the worker to load; nothing of it is reached. */
const ENVIRONMENT = {
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'bench',
  AWS_SECRET_ACCESS_KEY: 'bench',
  HOLDFAST_STAGE: 'bench',
  HOLDFAST_RUNS_TABLE: 'runs',
  HOLDFAST_CONNECTIONS_TABLE: 'connections',
  HOLDFAST_START_QUEUE_URL: 'https://sqs.us-east-1.amazonaws.com/1/start',
  HOLDFAST_WAKE_QUEUE_URL: 'https://sqs.us-east-1.amazonaws.com/1/wake',
  HOLDFAST_PAYLOADS_BUCKET: 'payloads',
  HOLDFAST_SECRETS: 'secrets-manager:holdfast/bench/',
  HOLDFAST_FUNCTION_TIMEOUT_MS: '180000',
};

export const benchmark: Benchmark = {
  id: 14,
  title: "the worker's bundle",
  async run({ quick, say }) {
    const dir = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
    try {
      say('bundling');
      const worker = await bundle('worker', join(dir, 'worker'));
      const size = await bundleSize(worker);
      await bundle('clients', join(dir, 'clients'), { entry: 'bench/support/two-clients.ts' });
      const rounds = quick ? 5 : 21;
      const took = { worker: [] as number[], clients: [] as number[] };
      say(`loading each ${rounds} times in a process of its own`);
      for (let round = -1; round < rounds; round++) {
        for (const name of ['clients', 'worker'] as const) {
          const ms = await load(join(dir, name, 'index.mjs'));
          if (round >= 0) took[name].push(ms);
        }
      }
      const ratio = median(took.worker) / median(took.clients);
      const kb = (bytes: number) => bytes / 1_000;
      const largest = Object.entries(size.packages).slice(0, 5);
      return {
        figures: [
          { name: 'worker bundle, gzipped', value: kb(size.eagerGzip), unit: 'KB', target: 350, better: 'lower' },
          { name: 'our own code in it, gzipped', value: kb(size.ownGzip), unit: 'KB', target: 60, better: 'lower' },
          { name: 'import time of the worker over the two AWS clients alone', value: ratio, unit: '×', target: 2.5, better: 'lower' },
        ],
        notes: [
          `bundle: ${fixed(kb(size.totalGzip), 0)} KB gzipped with what is loaded only when first used (S3, Secrets Manager); minified: ours ${fixed(kb(size.own), 0)} KB, ${largest.map(([name, bytes]) => `${name} ${fixed(kb(bytes), 0)} KB`).join(', ')}`,
          `import: worker ${spread(took.worker, 0)} ms, the two clients ${spread(took.clients, 0)} ms`,
        ],
      };
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  },
};

/** Milliseconds that a fresh process needs to import the file. */
async function load(file: string): Promise<number> {
  const script = `const began = performance.now(); await import(${JSON.stringify(pathToFileURL(file).href)}); console.log(performance.now() - began); process.exit(0);`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
    env: { PATH: process.env.PATH, ...ENVIRONMENT },
  });
  return Number(stdout.trim().split('\n').at(-1));
}
