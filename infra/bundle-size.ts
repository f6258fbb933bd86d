/** What a bundle weighs, and whose weight it is. For tests and benchmarks; deploys nothing. */
import { readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { type Bundle, bundleOptions, ENTRY, ROOT } from './bundle.ts';

export type BundleSize = {
  /** Gzipped bytes of the files that a cold start reads: the entry, and what it imports statically. */
  eagerGzip: number;
  /** Gzipped bytes of all files. */
  totalGzip: number;
  /**
   * Gzipped bytes of our own code among the eager files: the same entry built with every npm package left out, less what
   * workflows/ and connections/, which are the users', have of it by their minified bytes.
   */
  ownGzip: number;
  /** Minified bytes of our own code, and of each npm package, in the eager files. */
  own: number;
  packages: Readonly<Record<string, number>>;
};

/** Files that are loaded with the entry, by name in the bundle's folder. */
export function eagerFiles({ dir, metafile }: Bundle): string[] {
  return closure(metafile.outputs, fileIn(metafile.outputs, dir, ENTRY));
}

/** Packages of which something is loaded with the entry, largest first, with their minified bytes. Our own code is ''. */
export function eagerPackages(bundle: Bundle): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const file of eagerFiles(bundle)) {
    for (const [input, { bytesInOutput }] of Object.entries(bundle.metafile.outputs[file]?.inputs ?? {})) {
      if (bytesInOutput > 0) sizes.set(packageOf(input), (sizes.get(packageOf(input)) ?? 0) + bytesInOutput);
    }
  }
  return new Map([...sizes].sort(([, a], [, b]) => b - a));
}

export async function bundleSize(bundle: Bundle): Promise<BundleSize> {
  const gzip = async (file: string) => gzipSync(await readFile(resolve(ROOT, file)), { level: 9 }).byteLength;
  const sum = async (files: readonly string[]) => (await Promise.all(files.map(gzip))).reduce((total, bytes) => total + bytes, 0);
  const { '': own = 0, ...packages } = Object.fromEntries(eagerPackages(bundle));
  return {
    eagerGzip: await sum(eagerFiles(bundle)),
    totalGzip: await sum(Object.keys(bundle.metafile.outputs).filter((file) => file.endsWith('.mjs'))),
    ownGzip: await ownGzip(bundle),
    own,
    packages,
  };
}

async function ownGzip({ metafile, dir }: Bundle): Promise<number> {
  const entry = metafile.outputs[fileIn(metafile.outputs, dir, ENTRY)]?.entryPoint ?? '';
  const { dependencies = {} } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { dependencies?: Record<string, string> };
  const { outputFiles, metafile: own } = await build({
    ...bundleOptions(entry, dir),
    // Not `packages: 'external'`: that would leave out our own package, which is imported by its name.
    external: Object.keys(dependencies).flatMap((name) => [name, `${name}/*`]),
    banner: {},
    plugins: [],
    write: false,
  });
  const eager = new Set(closure(own.outputs, fileIn(own.outputs, dir, ENTRY)).map((file) => resolve(ROOT, file)));
  const gzip = outputFiles
    .filter(({ path }) => eager.has(path))
    .reduce((total, { contents }) => total + gzipSync(contents, { level: 9 }).byteLength, 0);
  const inputs = [...eager].flatMap((file) => Object.entries(own.outputs[relative(ROOT, file)]?.inputs ?? {}));
  const bytes = (of: typeof inputs) => of.reduce((total, [, { bytesInOutput }]) => total + bytesInOutput, 0);
  return Math.round(gzip * (1 - bytes(inputs.filter(([input]) => /^(?:workflows|connections)\//.test(input))) / bytes(inputs)));
}

type Outputs = Bundle['metafile']['outputs'];

function closure(outputs: Outputs, from: string): string[] {
  const found = new Set([from]);
  for (const file of found) {
    for (const { path, kind, external } of outputs[file]?.imports ?? []) {
      if (kind === 'import-statement' && !external) found.add(path);
    }
  }
  return [...found];
}

function fileIn(outputs: Outputs, dir: string, name: string): string {
  const path = resolve(ROOT, dir, name);
  const file = Object.keys(outputs).find((output) => resolve(ROOT, output) === path);
  if (file === undefined) throw new Error(`the bundle in ${dir} has no ${name}: it has ${Object.keys(outputs).join(', ')}`);
  return file;
}

/** `node_modules/@aws-sdk/client-sqs/…` → `@aws-sdk/client-sqs`; nested copies count as what they are. */
function packageOf(input: string): string {
  const [, path] = /^.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input) ?? [];
  return path ?? '';
}
