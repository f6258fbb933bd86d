/** CDK's own command line as a child process, on the terminal of this one; `cdklocal` for an endpoint that is not AWS. */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from '../bundle.ts';
import { CommandError } from './program.ts';
import type { Target } from './target.ts';

/** Git ignores it. */
export const CDK_HOME = join(ROOT, '.holdfast', 'cdk');

/** The folder of a stage's assembly: two stages may be deployed at once. */
export const outputOf = (stage: string): string => join(ROOT, 'cdk.out', stage);

/** Rejects when it fails: what was wrong is on the terminal then. `cwd`: where it looks for a cdk.json. */
export async function cdk(args: readonly string[], target: Target, env: Readonly<Record<string, string>>, cwd = ROOT): Promise<void> {
  const child = spawn(process.execPath, [binary(target), ...args, '--no-notices'], { cwd, env, stdio: 'inherit' });
  // Ctrl-C reaches the child as well: it says what it leaves behind, and we wait for that.
  const ignore = () => {};
  process.on('SIGINT', ignore);
  const code = await new Promise<number | null>((done, failed) => child.once('error', failed).once('close', done));
  process.off('SIGINT', ignore);
  if (code !== 0) throw new CommandError(`cdk ${args[0]} did not succeed: see above`);
}

function binary({ endpoint }: Target): string {
  // The packages export nothing but what tells where they are.
  const [manifest, file] =
    endpoint === undefined
      ? [import.meta.resolve('aws-cdk/package.json'), 'bin/cdk']
      : [import.meta.resolve('aws-cdk-local/package.json'), 'bin/cdklocal'];
  return join(dirname(fileURLToPath(manifest)), file);
}
