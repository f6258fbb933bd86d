/**
 * Type-checks the TypeScript blocks of documents as the files they show. The files lie inside the project for the time of the check,
 * so that `holdfast` and its dependencies are found as they are by a user's code. Blocks of one document that name their file can
 * import each other; one that names none is a module of its own.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { codeBlocks, fileOf } from './blocks.ts';

export type Document = { path: string; text: string };

/** What is wrong, or '' when nothing is. `root`: the project's folder. */
export function checkTypes(root: string, documents: readonly Document[]): { blocks: number; complaint: string } {
  mkdirSync(join(root, '.holdfast'), { recursive: true });
  const folder = mkdtempSync(join(root, '.holdfast', 'docs-'));
  try {
    const origins = new Map<string, string>();
    for (const { path, text } of documents) {
      for (const block of codeBlocks(text)) {
        if (block.language !== 'ts') continue;
        const file = join(path.replaceAll(/[^\w]+/g, '-'), fileOf(block) ?? `block-${block.line}.ts`);
        if (origins.has(file)) return { blocks: origins.size, complaint: `${path}:${block.line}: another block is ${file} already` };
        origins.set(file, `${path}:${block.line}`);
        mkdirSync(dirname(join(folder, file)), { recursive: true });
        // A block without imports is a script to TypeScript: its names would meet those of the others.
        writeFileSync(join(folder, file), /^\s*(import|export)\b/m.test(block.code) ? block.code : `${block.code}export {};\n`);
      }
    }
    const options = { noUnusedLocals: false, noUnusedParameters: false };
    const tsconfig = { extends: relative(folder, join(root, 'tsconfig.json')), compilerOptions: options, include: ['**/*.ts'] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig));
    const tsc = join(root, 'node_modules', '.bin', 'tsc');
    const { status, stdout, stderr, error } = spawnSync(tsc, ['-p', folder, '--pretty', 'false'], { cwd: folder, encoding: 'utf8' });
    if (error) throw error;
    return { blocks: origins.size, complaint: status === 0 ? '' : withOrigins(`${stdout}${stderr}`, origins) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The compiler speaks of files and lines; people look for blocks. */
function withOrigins(output: string, origins: ReadonlyMap<string, string>): string {
  return output.replace(/^([^\s(]+\.ts)\((\d+),/gm, (all, file: string, line: string) => {
    const origin = origins.get(file);
    return origin === undefined ? all : `${origin} (line ${line} of the block, column `;
  });
}
