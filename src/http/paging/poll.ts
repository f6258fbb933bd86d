/**
 * Waits for what an API does in its own time: 202 with `Location` or `Operation-Location` (RFC 9110, section 15.3.3), then asking
 * until it is done. Every question is a call and every pause a sleep, so that no process is kept for it. Owns the pace and the end.
 */
import { type Duration, milliseconds } from '../../engine/duration.ts';
import { now, sleep } from '../../engine/verbs.ts';
import { CALL_FIELDS, hiddenBy, labelOf } from '../call.ts';
import { settingsFor } from '../core.ts';
import { CallError } from '../errors.ts';
import { readHints } from '../hints.ts';
import type { PollOptions } from '../options.ts';
import type { Reply } from '../reply.ts';
import { bad, onlyKnown, positive } from '../settings.ts';
import { nextPath, outside, type Source } from './paging.ts';

const SEE_OTHER = 303;
/** An API that says "again in 0 s" is not asked in a loop. */
const LEAST_MS = 1_000;

/** `from`: the path that the reply was given at. */
export async function poll(source: Source, target: string | Reply, from: string, options: PollOptions): Promise<unknown> {
  const { core, send } = source;
  const { until = (reply: Reply) => reply.status !== 202, every = '10s', timeout = '1h', ...call } = options;
  const where = `poll ${core.id}`;
  // Nobody sees what a 202 says unless `until` looks at it: then a schema is for what comes in the end.
  const unseen = options.until === undefined ? [202] : [];
  onlyKnown(options, new Set([...CALL_FIELDS, 'until', 'every']), where);
  const pace = positive(every, where, 'every');
  const limit = positive(timeout, where, 'timeout');
  if (typeof until !== 'function') bad(where, 'until', 'must be a function of the reply');
  const end = now() + limit;
  let polls = 0;
  let reply: Reply | undefined;
  let at: string;
  if (typeof target === 'string') at = target;
  else {
    reply = target;
    at = followed(reply, from) ?? bad(where, 'reply', 'has neither Operation-Location nor Location: give the path to ask at');
  }
  for (;;) {
    if (reply !== undefined) await pause(reply);
    reply = await ask();
    polls += 1;
    if (reply.status === SEE_OTHER) {
      at = followed(reply, at) ?? failed('E_CALL_FAILED', 'answered 303 without a Location');
      return send(core, 'GET', at, inTime(call));
    }
    const verdict = (until as (reply: Reply) => unknown)(reply);
    if (verdict === true) return reply;
    if (verdict === 'failed') failed('E_CALL_FAILED', 'what was waited for has failed');
    // It may have moved meanwhile.
    if (reply.status === 202) at = followed(reply, at) ?? at;
  }

  function ask(): Promise<Reply> {
    const accepted = call.acceptStatus ?? settingsFor(core, 'GET', at).acceptStatus;
    return send(core, 'GET', at, { ...inTime(call), acceptStatus: [...accepted, SEE_OTHER, ...unseen] }) as Promise<Reply>;
  }

  async function pause(after: Reply): Promise<void> {
    const wait = pauseAfter(Object.fromEntries(after.headers), pace, now());
    if (now() + wait > end) failed('E_DEADLINE', `it is not done within ${limit} ms (timeout), after it was asked ${polls} times`);
    await sleep(wait);
  }

  /** No call waits beyond the end of the whole. */
  function inTime(options: typeof call): typeof call {
    const own = options.retry?.deadline as Duration | undefined;
    const deadline = own === undefined ? settingsFor(core, 'GET', at).retry.deadline : milliseconds(own, `${where}: retry.deadline`);
    return { ...options, retry: { ...options.retry, deadline: Math.max(0, Math.min(deadline, end - now())) } };
  }

  function followed(moved: Reply, base: string): string | undefined {
    const location = moved.headers.get('operation-location') ?? moved.headers.get('location');
    if (location === null) return undefined;
    return nextPath(core, base, location) ?? failed('E_PAGING', outside(core));
  }

  function failed(code: 'E_CALL_FAILED' | 'E_DEADLINE' | 'E_PAGING', problem: string): never {
    const path = at ?? from;
    const label = labelOf(core, 'GET', path, hiddenBy(core, 'GET', path, call), call.label);
    const detail = { connection: core.name, account: core.account, attempts: polls, status: reply?.status };
    throw new CallError(code, `${label}: ${problem}`, detail, reply);
  }
}

/** Not before the API wants to be asked again; without its word, at the caller's own pace. Milliseconds. */
export function pauseAfter(headers: Readonly<Record<string, string>>, pace: number, at: number): number {
  const { retryAfter, hint } = readHints(headers, at);
  return retryAfter && hint !== undefined ? Math.max(hint.delay, Math.min(LEAST_MS, pace)) : pace;
}
