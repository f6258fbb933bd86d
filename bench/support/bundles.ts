/** The functions' bundles with the benchmarks' workflows in place of the examples: the same code, the same bundler, other workflows. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { bundleOptions } from '../../infra/bundle.ts';

const WORKFLOWS = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));

const swap: Plugin = {
  name: 'workflows of the benchmarks',
  setup: ({ onResolve }) => onResolve({ filter: /^\.\.\/workflows\/index\.ts$/ }, () => ({ path: WORKFLOWS })),
};

/** Into `dir`, over what is there. */
export async function bundleForBench(name: 'worker' | 'api', dir: string): Promise<void> {
  const options = bundleOptions(join('functions', `${name}.ts`), dir);
  await build({ ...options, plugins: [swap, ...(options.plugins ?? [])] });
}
