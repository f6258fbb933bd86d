/**
 * Target 17: `npm ci && npm start -- --once` in a fresh clone of HEAD, from the first command to the end of the second, which ends when
 * the demo's last result is in. With the Node and npm of the machine, not those of this project; npm may use what its cache holds.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { ROOT } from '../infra/bundle.ts';
import type { Benchmark } from './support/benchmark.ts';
import { fixed } from './support/stats.ts';

/** Longer than this is broken, not slow. */
const TIMEOUT_MS = 600_000;
const KEPT_OUTPUT = 4_000;

export const benchmark: Benchmark = {
  id: 17,
  title: 'from a clean clone to the demo’s last result',
  async run({ say }) {
    const dir = await mkdtemp(join(tmpdir(), 'holdfast-clone-'));
    try {
      await command(['git', 'clone', '--quiet', '--no-hardlinks', ROOT, dir], ROOT);
      say('npm ci');
      const installing = await command(['npm', 'ci', '--no-audit', '--no-fund'], dir);
      say(`npm ci took ${fixed(installing, 1)} s; npm start -- --once`);
      const running = await command(['npm', 'start', '--', '--once'], dir);
      return {
        figures: [
          { name: 'npm ci && npm start -- --once in a clean clone', value: installing + running, unit: 's', target: 60, better: 'lower' },
        ],
        notes: [`clean clone: npm ci ${fixed(installing, 1)} s, the demo to its end ${fixed(running, 1)} s`],
      };
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  },
};

/** The environment of somebody who has just opened a terminal: nothing of the npm that runs this, and free ports. */
function environment(): NodeJS.ProcessEnv {
  const clean = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|INIT_CWD|HOLDFAST_)/i.test(name));
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !entry.includes('node_modules'));
  return { ...Object.fromEntries(clean), PATH: path.join(delimiter), HOLDFAST_PORT: '0', HOLDFAST_AWS_PORT: '0', HOLDFAST_DEMO_PORT: '0' };
}

/** Seconds. Rejects with the end of its output when it fails. */
async function command([program = '', ...args]: string[], cwd: string): Promise<number> {
  const began = performance.now();
  const child = spawn(program, args, { cwd, env: environment(), stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-KEPT_OUTPUT);
    });
  }
  // Its own process group, so that what it started ends with it.
  const end = () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  };
  const timer = setTimeout(end, TIMEOUT_MS);
  process.once('exit', end);
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  clearTimeout(timer);
  process.off('exit', end);
  if (code !== 0)
    throw new Error(`${program} ${args.join(' ')} ended with ${code === null ? 'a signal' : `exit code ${code}`}:\n${output}`);
  return (performance.now() - began) / 1_000;
}
