/** `npm run chaos`, short: the same runs against the same hostile server, a new seed each time. */
import { expect, test } from 'vitest';
import { chaos } from '../chaos/chaos.ts';
import { sound, table, told } from '../chaos/report.ts';
import { diceOf } from '../support/hostile/fate.ts';
import { fateOf } from '../support/hostile/fates.ts';

const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 100_000);

test('calls of every kind come to what they should, whatever the server does to them', async () => {
  const tally = await chaos({ seed, calls: 600, until: 30_000 });
  process.stdout.write(`chaos seed ${seed}: ${tally.runs} runs, ${tally.fates.size} kinds of fates, ${tally.deaths} workers killed\n`);
  expect(sound(tally), `seed ${seed}\n${table(tally)}\n${tally.faulty.map((one) => told(seed, one)).join('\n')}`).toBe(true);
  // It has looked at something.
  expect(tally.fates.size).toBeGreaterThan(50);
  expect(tally.hints).toBeGreaterThan(10);
  expect(tally.unknowns).toBeGreaterThan(10);
});

test('a fate is the same for the same seed, call and attempt', () => {
  for (let n = 1; n < 50; n++) {
    const nature = { lane: diceOf(n).pick(['shared', 'door', 'secure'] as const), bad: 0.5, stubborn: n % 7 === 0 };
    const [one, other] = [fateOf(n, 'r1c1', n, nature), fateOf(n, 'r1c1', n, nature)];
    expect(one.name).toBe(other.name);
    expect(one.owes('keyed')).toEqual(other.owes('keyed'));
    const context = { now: 1_800_000_000_000, skew: 5, method: 'POST', body: '{}' };
    if (one.at === 'http' && other.at === 'http') expect(one.answer(context)).toEqual(other.answer(context));
  }
});
