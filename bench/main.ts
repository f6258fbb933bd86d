/** `npm run bench`: measures each target and prints what came out. Knows no benchmark but by its file. */
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { type Row, rowOf } from './support/benchmark.ts';
import { HELP, readOptions } from './support/options.ts';
import { type Line, table } from './support/report.ts';
import { runApart } from './support/runner.ts';

const TARGETS: ReadonlyMap<number, string> = new Map([
  [1, 'target-01-cpu-per-call.ts'],
  [2, 'target-02-throughput.ts'],
  [3, 'target-03-steps.ts'],
  [4, 'target-04-replay.ts'],
  [5, 'target-05-writes-per-run.ts'],
  [6, 'target-06-writes-per-wave.ts'],
  [7, 'target-07-admission.ts'],
  [8, 'target-08-outage.ts'],
  [10, 'target-10-hints.ts'],
  [11, 'target-11-memory.ts'],
  [12, 'target-12-total.ts'],
  [13, 'target-13-guard.ts'],
  [14, 'target-14-bundle.ts'],
  [15, 'target-15-first-call.ts'],
  [17, 'target-17-clean-clone.ts'],
  [19, 'target-19-slow-neighbour.ts'],
]);

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), [...TARGETS.keys()]);
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const lines: Line[] = [];
  const notes: string[] = [];
  const broken: number[] = [];
  const began = performance.now();
  const say = (id: number, text: string) => {
    process.stdout.write(`${((performance.now() - began) / 1_000).toFixed(0).padStart(4)} s  ${String(id).padStart(2)}  ${text}\n`);
  };
  say(0, `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}${options.quick ? ', quick: not for publishing' : ''}`);

  for (const [id, file] of TARGETS) {
    if (options.only && !options.only.includes(id)) continue;
    say(id, file);
    try {
      const measured = await runApart(file, { quick: options.quick, say: (line) => say(id, line) });
      for (const figure of measured.figures) lines.push({ ...rowOf(id, figure), better: figure.better });
      notes.push(...measured.notes.map((note) => `${String(id).padStart(2)}  ${note}`));
    } catch (error) {
      broken.push(id);
      say(id, `broke: ${(error as Error).message}`);
    }
  }

  process.stdout.write(`\n${table(lines)}\n${notes.length > 0 ? `\n${notes.join('\n')}\n` : ''}`);
  if (broken.length > 0) process.stdout.write(`\nbroken, not measured: ${broken.join(', ')}\n`);
  if (options.json !== undefined) {
    const rows: Row[] = lines.map(({ better: _, ...row }) => row);
    await writeFile(options.json, `${JSON.stringify(rows, null, 2)}\n`);
  }
  return broken.length > 0 || (options.check && lines.some(({ met }) => !met)) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
