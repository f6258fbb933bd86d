/** What the commands of this folder share: how they end, and how they say what went wrong. */
import { parseArgs } from 'node:util';

/** Something that a person can mend: its message is all that is shown. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

export type Flags = Readonly<Record<string, { type: 'string' | 'boolean'; short?: string }>>;

/** The options as given. Throws what is wrong with them, with the help. */
export function readFlags<T extends Flags>(args: readonly string[], help: string, options: T) {
  try {
    return parseArgs({ args: [...args], strict: true, allowPositionals: false, options }).values;
  } catch (error) {
    throw new CommandError(`${(error as Error).message}\n\n${help}`, { cause: error });
  }
}

export const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Runs a command and ends the process: 0, or 1 with the reason on stderr. */
export async function program(main: () => Promise<void>): Promise<void> {
  try {
    await main();
    process.exitCode = 0;
  } catch (error) {
    const mendable = error instanceof CommandError || (error as Error)?.name === 'ConfigError';
    process.stderr.write(`\n${mendable ? (error as Error).message : ((error as Error).stack ?? error)}\n`);
    process.exitCode = 1;
  }
}

/** Names and values in two columns. */
export function columns(rows: ReadonlyArray<readonly [string, string]>): string {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n');
}
