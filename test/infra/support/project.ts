/** A project of a few files, inside this package: so that `holdfast` means what it means to a user's files. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ROOT } from '../../../infra/bundle.ts';

export function project(files: Readonly<Record<string, string>>): string {
  const parent = join(ROOT, 'cdk.out');
  mkdirSync(parent, { recursive: true });
  const root = mkdtempSync(join(parent, 'project-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return root;
}
