/** Dead letters as runs: what is valid by now is started at a pace and then no letter any more; what is not stays, with its reason. */
import { bodyOf, forgetDeadLetter } from '../engine/dead-letters.ts';
import { HoldfastError } from '../engine/errors.ts';
import type { DeadLetter } from '../engine/ports.ts';
import { parseStartMessage, prepareStart, type Start } from '../engine/start.ts';
import type { ApiDeps } from './deps.ts';
import { Problem } from './problem.ts';
import type { RedrivenLetters } from './schemas.ts';
import { startRun } from './start.ts';

type Redriven = RedrivenLetters['redriven'][number];
type Refused = RedrivenLetters['refused'][number];

/** The pace is held by when the runs are woken, so that nobody waits for it. */
export async function redriveLetters(
  deps: ApiDeps,
  letters: readonly DeadLetter[],
  perSecond: number,
): Promise<{ redriven: Redriven[]; refused: Refused[] }> {
  const redriven: Redriven[] = [];
  const refused: Refused[] = [];
  const prepared = await Promise.all(letters.map((letter) => orRefused(letter, refused, () => prepare(deps, letter))));
  const valid = prepared.filter((one) => one !== undefined);
  await Promise.all(
    valid.map(({ letter, value: start }, i) =>
      orRefused(letter, refused, async () => {
        const run = await startRun(deps, start, Math.floor((i * 1_000) / perSecond));
        // Only now: a letter that is left meets its run the next time, by the key.
        await forgetDeadLetter(deps, letter);
        redriven.push({ id: letter.id, run: run.id });
      }),
    ),
  );
  return { redriven, refused };
}

/** What it would be as a message today. The key of one that named none is what its message had: the letter's id. */
async function prepare({ registry, payloads }: ApiDeps, letter: DeadLetter): Promise<Start> {
  const request = parseStartMessage(await bodyOf(letter, payloads));
  const tenant = request.tenant ?? letter.tenant;
  return prepareStart(registry, { ...request, ...(tenant === undefined ? {} : { tenant }) }, letter.id);
}

/** What the letter itself is to blame for is told; a fault of ours is the whole request's. */
async function orRefused<T>(
  letter: DeadLetter,
  refused: Refused[],
  work: () => Promise<T>,
): Promise<{ letter: DeadLetter; value: T } | undefined> {
  try {
    return { letter, value: await work() };
  } catch (error) {
    const told = error instanceof Problem || (error instanceof HoldfastError && error.code !== 'E_INTERNAL');
    if (!told) throw error;
    refused.push({ id: letter.id, code: error.code, reason: error.message });
    return undefined;
  }
}
