/**
 * From "it is to be sent" to the very moment of its sending: its time, the permission, a place among the calls in flight, a durable
 * START, in this order, so that what is scarce is spent last and no START stands open while something is waited for.
 */
import { RESERVE_MS } from './desk.ts';
import { type ErrorData, toErrorData } from './errors.ts';
import type { Admitted, AttemptEnv } from './operation.ts';
import { noRoom } from './outcomes.ts';
import {
  become,
  envOf,
  failedWith,
  finish,
  hasTime,
  isLeft,
  putOff,
  signalOf,
  started,
  unsent,
  type Way,
  waitsFor,
  whileWanted,
} from './way.ts';

/** Waits up to this long stay in process when the invocation has the time; longer ones are parked. */
export const SHORT_WAIT_MS = 2_000;
/** Effects stop this long before the lease ends. */
export const LEASE_MARGIN_MS = 1_000;
/** Who waited longer than this for a place would be sent at another time than was permitted. */
const STALE_MS = 250;

export type Departure =
  /** Send it now. Nothing may stand between this and the sending. */
  | { readonly type: 'now'; readonly env: AttemptEnv; readonly release: () => void; readonly started: boolean }
  /** It was put off: `way.next` says until when. */
  | { readonly type: 'later' }
  | { readonly type: 'fail'; readonly error: ErrorData }
  /** Nobody wants it any more, or it is parked until another invocation. */
  | { readonly type: 'none' };

const LATER: Departure = { type: 'later' };
const NONE: Departure = { type: 'none' };

export async function depart(way: Way): Promise<Departure> {
  const { desk, operation, effectful } = way;
  const { clock } = desk;
  if (!hasTime(way)) return notHere(way);
  const env = operation.admit && envOf(way, whileWanted(way));
  const asked = ask(way, env);
  let admitted: Admitted | undefined = asked instanceof Promise ? await asked : asked;
  if (isLeft(way)) return drop(admitted);
  if (admitted !== undefined && admitted.type !== 'go') return refused(way, admitted);
  permitted(way);
  const since = clock.now();
  const place = desk.slot();
  const release = place instanceof Promise ? await place : place;
  // Those that waited together would be sent together. Now nothing is in the way any more, and the answer is good.
  if (admitted !== undefined && clock.now() - since > STALE_MS && !isLeft(way)) {
    admitted.drop();
    admitted = await ask(way, envOf(way, whileWanted(way)));
    if (admitted !== undefined && admitted.type !== 'go') {
      release();
      return isLeft(way) ? NONE : refused(way, admitted);
    }
    permitted(way);
  }
  if (isLeft(way)) {
    release();
    return drop(admitted);
  }
  const first = way.firstSentAt === undefined;
  if (!hasTime(way) || (effectful && !(await makeDurable(way)))) {
    release();
    drop(admitted);
    return isLeft(way) ? NONE : notHere(way);
  }
  const waited = effectful || asked instanceof Promise || place instanceof Promise;
  return { type: 'now', env: env === undefined || waited ? envOf(way, signalOf(way)) : env, release, started: effectful && first };
}

/** False: the context closed meanwhile, or it was given up. */
export async function waitUntil(way: Way, time: number): Promise<boolean> {
  const { desk } = way;
  const short = time - desk.clock.now() <= SHORT_WAIT_MS && hasTime(way, time);
  if (!short) {
    if (way.untold) putOff(way, time);
    if (way.why !== undefined) desk.deferred(way.task, way.why, time);
    park(way, time);
  }
  await new Promise<void>((due) => desk.at(time, due));
  if (isLeft(way)) return false;
  delete way.task.wakeAt;
  become(way, 'busy');
  return true;
}

/** Not in this invocation: the run parks with an immediate wake. What no invocation has room for fails instead of waking for ever. */
export function notHere(way: Way): Departure {
  const { desk, operation } = way;
  if (desk.neverFits(operation.timeout + RESERVE_MS)) finish(way, failedWith(way, noRoom(operation)));
  else {
    // What was done in this invocation is not to be lost with it.
    if (way.untold && !way.unknown) putOff(way, desk.clock.now());
    park(way, desk.clock.now());
  }
  return NONE;
}

function park(way: Way, time: number): void {
  way.task.wakeAt = time;
  become(way, 'parked');
}

/** At once where nothing is to be waited for. */
function ask({ operation }: Way, env: AttemptEnv | undefined): Admitted | undefined | Promise<Admitted> {
  try {
    const answer = env && operation.admit?.(env);
    return answer instanceof Promise ? answer.catch(faulty) : answer;
  } catch (thrown) {
    return faulty(thrown);
  }
}

/** Like an attempt that throws: its maker's fault. */
function faulty(thrown: unknown): Admitted {
  return { type: 'fail', error: toErrorData(thrown, 'E_INTERNAL') };
}

function refused(way: Way, answer: Exclude<Admitted, { type: 'go' }>): Departure {
  if (answer.type === 'fail') return answer;
  // In the past it would be asked without end in one and the same millisecond.
  way.next = Math.max(answer.at, way.desk.clock.now() + 1);
  way.place = answer.place;
  way.why = answer.why;
  if (waitsFor(answer.why, answer.place) !== way.told) way.untold = true;
  // Nothing is in flight that a cancellation would have to wait for.
  if (way.desk.cancellation.pending()) way.open = false;
  return LATER;
}

/** Its place is used up, or is given back: whoever asks again asks for another. */
function permitted(way: Way): void {
  way.why = undefined;
  if (way.place === undefined) return;
  way.place = undefined;
  way.untold = true;
}

function drop(admitted: Admitted | undefined): Departure {
  if (admitted?.type === 'go') admitted.drop();
  return NONE;
}

/** START and everything observed so far are durable and the lease is ours. False: not sent now. */
async function makeDurable(way: Way): Promise<boolean> {
  const { desk, operation } = way;
  const needed = operation.effect === 'unsafe' ? !way.open : way.firstSentAt === undefined;
  if (needed) started(way);
  await desk.durable();
  if (!isLeft(way) && hasTime(way) && desk.clock.now() + operation.timeout < desk.leasedUntil() - LEASE_MARGIN_MS) return true;
  if (operation.effect === 'unsafe' ? way.open : needed) unsent(way);
  return false;
}
