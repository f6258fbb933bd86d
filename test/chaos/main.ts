/** `npm run chaos -- --calls 10000 --seed N`: calls of every kind through real runs against the hostile server, and whether each came to what it should. */
import { parseArgs } from 'node:util';
import { chaos } from './chaos.ts';
import { sound, table, told } from './report.ts';

const HELP = `npm run chaos -- [options]
  --calls N     calls, 1 to 1,000,000 (default 10000)
  --seed N      what happens to them (default: random, printed)
  --for S       seconds after which no further run is begun (default: until all calls are made)
  --worlds N    runs at once, about six calls under way in each (default 24)
  --only N      only that run of the seed, to see a fault again
  --fates       print how often each fate was met
`;

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    for: { type: 'string' },
    worlds: { type: 'string', default: '24' },
    only: { type: 'string' },
    fates: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const SHOWN = 10;
const say = (text: string) => process.stdout.write(`${text}\n`);

function number(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  process.stderr.write(`--${name} must be a whole number from ${least} to ${most}, not ${JSON.stringify(text)}\n`);
  process.exit(2);
}

async function main(): Promise<number> {
  const seed = number('seed', values.seed, 0, 2 ** 32);
  const calls = number('calls', values.calls, 1, 1_000_000);
  say(`seed ${seed}, ${calls} calls`);
  let shown = 0;
  const tally = await chaos({
    seed,
    calls,
    worlds: number('worlds', values.worlds, 1, 200),
    ...(values.only === undefined ? {} : { only: number('only', values.only, 0, 1_000_000) }),
    ...(values.for === undefined ? {} : { until: 1_000 * number('for', values.for, 1, 86_400) }),
    progress({ runs, ms, lines, faulty, rss }) {
      if (ms < shown + 5_000) return;
      shown = ms;
      const made = Object.values(lines).reduce((sum, line) => sum + line.calls, 0);
      say(`${String(Math.round(ms / 1_000)).padStart(4)} s  ${made} calls in ${runs} runs, ${faulty.length} faulty, ${rss.toFixed(0)} MB`);
    },
  });
  say(`\n${table(tally)}`);
  if (values.fates)
    say(
      `\n${[...tally.fates]
        .sort((a, b) => b[1] - a[1])
        .map(([name, count]) => `${String(count).padStart(6)}  ${name}`)
        .join('\n')}`,
    );
  for (const verdict of tally.faulty.slice(0, SHOWN)) say(`\n${told(seed, verdict)}`);
  if (tally.faulty.length > SHOWN) say(`\nand ${tally.faulty.length - SHOWN} more`);
  return sound(tally) ? 0 : 1;
}

if (values.help) process.stdout.write(HELP);
else process.exitCode = await main();
