/**
 * Makes the folder that is deployed of each function: ESM, split so that what is imported lazily is not read at a cold start.
 * Knows where functions are, and nothing of what they do.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { LEAN_DEFINE, lean } from './lean.ts';
import { FUNCTIONS, type FunctionName } from './settings.ts';

export const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '');
export const ENTRY = 'index.mjs';

export type Bundle = { name: string; dir: string; metafile: Metafile };

/** CommonJS packages call `require`, which ES modules lack. The name is one that no package can have taken. */
const REQUIRE = [
  `import { createRequire as __holdfastCreateRequire } from 'node:module';`,
  `const require = __holdfastCreateRequire(import.meta.url);`,
].join('\n');

export function bundleOptions(
  entry: string,
  dir: string,
  { sourcemap = false }: { sourcemap?: boolean } = {},
): BuildOptions & { metafile: true } {
  return {
    absWorkingDir: ROOT,
    entryPoints: [{ in: entry, out: ENTRY.replace(/\.mjs$/, '') }],
    outdir: dir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
    // Identifiers stay: errors carry names of classes, stacks those of functions; keeping them by `keepNames` costs time for each closure.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    sourcemap: sourcemap ? 'linked' : false,
    banner: { js: REQUIRE },
    define: LEAN_DEFINE,
    plugins: [lean],
    metafile: true,
    // What it finds wrong is in the error that it throws.
    logLevel: 'silent',
  };
}

/** `name`: of a file in functions/, which exports `handler`. What was in `dir` is replaced. Throws what esbuild finds wrong. */
export async function bundle(name: string, dir: string, options: { sourcemap?: boolean; entry?: string } = {}): Promise<Bundle> {
  await rm(dir, { recursive: true, force: true });
  const { metafile } = await build(bundleOptions(options.entry ?? join('functions', `${name}.ts`), dir, options));
  return { name, dir, metafile };
}

/** All functions, each in a folder of its name under `dir`. */
export async function bundleAll(dir: string, options: { sourcemap?: boolean } = {}): Promise<Record<FunctionName, Bundle>> {
  const bundles = await Promise.all(FUNCTIONS.map((name) => bundle(name, join(dir, name), options)));
  return Object.fromEntries(bundles.map((made) => [made.name, made])) as Record<FunctionName, Bundle>;
}
