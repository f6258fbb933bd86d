/** The command line of `npm run bench`. Pure. */
import { parseArgs } from 'node:util';

export type BenchOptions = { only: number[] | undefined; json: string | undefined; quick: boolean; check: boolean; help: boolean };

export const HELP = `Usage: npm run bench -- [options]

Measures this project against its targets, each side by side with its baseline in the same run.

  --only 2,5     these targets alone
  --json FILE    writes the figures as [{ "id", "name", "value", "unit", "target", "met" }]
  --quick        fewer rounds, smaller sizes: shows that it works, not how fast
  --check        exit code 1 when a target is missed
  --help         this

Without --check the exit code is 0, met or not, unless a benchmark itself broke.
`;

/** Throws an error that names the option at fault. */
export function readOptions(args: readonly string[], known: readonly number[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      json: { type: 'string' },
      quick: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const only = values.only?.split(',').map((id) => Number(id.trim()));
  const unknown = only?.find((id) => !known.includes(id));
  if (unknown !== undefined) throw new Error(`--only must list targets among ${known.join(', ')}, separated by commas: ${values.only}`);
  if (values.json === '') throw new Error('--json must name a file');
  return { only, json: values.json, quick: values.quick, check: values.check, help: values.help };
}
