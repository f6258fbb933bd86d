import { describe, expect, it } from 'vitest';
import type { Effect } from '../../src/engine/operation.ts';
import { type CallEvent, classify, type Decision, type Facts, type Row } from '../../src/http/classify.ts';

type Act = Decision['act'];
/** What is done for safe, idempotent, keyed and unsafe calls; one word where it is the same for all. */
type Acts = Act | readonly [safe: Act, idempotent: Act, keyed: Act, unsafe: Act];
type Case = {
  row: Row;
  event: CallEvent;
  facts?: Facts;
  acts: Acts;
  class: Decision['class'];
  breaker: boolean;
  retries?: number;
  only?: readonly Effect[];
};

const EFFECTS: readonly Effect[] = ['safe', 'idempotent', 'keyed', 'unsafe'];
const RETRY_UNLESS_UNSAFE = ['retry', 'retry', 'retry', 'unknown'] as const;
const answered = (...statuses: number[]): CallEvent[] => statuses.map((status) => ({ phase: 'answered', status }));
const each = (events: CallEvent[], rest: Omit<Case, 'event'>): Case[] => events.map((event) => ({ event, ...rest }));

const TABLE: readonly Case[] = [
  { row: 'refused before sending', event: { phase: 'deferred' }, acts: 'later', class: 'deferred', breaker: false },
  {
    row: 'name not found',
    event: { phase: 'not-sent', why: 'name-not-found' },
    acts: 'retry',
    class: 'not-sent',
    breaker: true,
    retries: 2,
  },
  { row: 'unreachable', event: { phase: 'not-sent', why: 'unreachable' }, acts: 'retry', class: 'not-sent', breaker: true },
  { row: 'certificate', event: { phase: 'not-sent', why: 'certificate' }, acts: 'fail', class: 'permanent', breaker: true },
  { row: 'guard', event: { phase: 'not-sent', why: 'guard' }, acts: 'fail', class: 'permanent', breaker: false },
  { row: 'invalid request', event: { phase: 'not-sent', why: 'invalid-request' }, acts: 'fail', class: 'permanent', breaker: false },
  {
    row: 'broken after sending',
    event: { phase: 'ambiguous', why: 'broken' },
    acts: RETRY_UNLESS_UNSAFE,
    class: 'ambiguous',
    breaker: true,
  },
  {
    row: 'broken after sending',
    event: { phase: 'ambiguous', why: 'timeout' },
    acts: RETRY_UNLESS_UNSAFE,
    class: 'ambiguous',
    breaker: true,
  },
  {
    row: 'invalid HTTP',
    event: { phase: 'ambiguous', why: 'invalid-http' },
    acts: RETRY_UNLESS_UNSAFE,
    class: 'ambiguous',
    breaker: true,
    retries: 1,
  },
  ...each(answered(404, 409, 302, 503), {
    row: 'accepted status',
    facts: { accepted: true, retryAfter: true },
    acts: 'done',
    class: 'success',
    breaker: false,
  }),
  ...each(answered(404, 410, 412), {
    row: 'other 4xx',
    facts: { gone: true },
    acts: 'fail',
    class: 'permanent',
    breaker: false,
    only: ['safe', 'keyed', 'unsafe'],
  }),
  ...each(answered(404, 410, 412), {
    row: 'gone is done',
    facts: { gone: true },
    acts: 'done',
    class: 'success',
    breaker: false,
    only: ['idempotent'],
  }),
  {
    row: 'body over the cap',
    event: { phase: 'answered', status: 200 },
    facts: { tooLarge: true },
    acts: ['fail', 'fail', 'fail', 'done'],
    class: 'permanent',
    breaker: false,
  },
  ...each(answered(200, 201, 202, 204, 206), { row: '2xx', acts: 'done', class: 'success', breaker: false }),
  {
    row: '2xx judged',
    event: { phase: 'answered', status: 200 },
    facts: { judged: 'throttle' },
    acts: 'wait',
    class: 'throttle',
    breaker: false,
  },
  {
    row: '2xx judged',
    event: { phase: 'answered', status: 200 },
    facts: { judged: 'transient' },
    acts: RETRY_UNLESS_UNSAFE,
    class: 'transient',
    breaker: false,
  },
  {
    row: '2xx judged',
    event: { phase: 'answered', status: 200 },
    facts: { judged: 'permanent' },
    acts: 'fail',
    class: 'permanent',
    breaker: false,
  },
  ...each(answered(300, 301, 302, 303, 304, 307, 308), { row: '3xx', acts: 'fail', class: 'permanent', breaker: false }),
  {
    row: '401 with managed token',
    event: { phase: 'answered', status: 401 },
    facts: { refreshable: true },
    acts: 'refresh',
    class: 'auth',
    breaker: false,
  },
  {
    row: '403 with quota markers',
    event: { phase: 'answered', status: 403 },
    facts: { exhausted: true },
    acts: 'wait',
    class: 'throttle',
    breaker: false,
  },
  {
    row: '403 with quota markers',
    event: { phase: 'answered', status: 403 },
    facts: { retryAfter: true },
    acts: 'wait',
    class: 'throttle',
    breaker: false,
  },
  { row: '408 425 421', event: { phase: 'answered', status: 408 }, acts: 'retry', class: 'not-sent', breaker: true },
  ...each(answered(425, 421), { row: '408 425 421', acts: 'retry', class: 'not-sent', breaker: false }),
  { row: '409', event: { phase: 'answered', status: 409 }, acts: 'fail', class: 'permanent', breaker: false },
  ...each(answered(413, 423, 424), {
    row: '413 423 424 with Retry-After',
    facts: { retryAfter: true },
    acts: 'wait',
    class: 'throttle',
    breaker: false,
  }),
  ...each(answered(413, 423, 424), { row: 'other 4xx', facts: { exhausted: true }, acts: 'fail', class: 'permanent', breaker: false }),
  ...each(answered(429, 420, 529), { row: 'throttle', acts: 'wait', class: 'throttle', breaker: false }),
  {
    row: 'throttle',
    event: { phase: 'answered', status: 503 },
    facts: { retryAfter: true },
    acts: 'wait',
    class: 'throttle',
    breaker: false,
  },
  {
    row: 'throttle',
    event: { phase: 'answered', status: 503 },
    facts: { exhausted: true },
    acts: 'wait',
    class: 'throttle',
    breaker: false,
  },
  { row: '503 without a hint', event: { phase: 'answered', status: 503 }, acts: RETRY_UNLESS_UNSAFE, class: 'transient', breaker: true },
  {
    row: '503 without a hint',
    event: { phase: 'answered', status: 503 },
    facts: { untouched: true },
    acts: 'retry',
    class: 'transient',
    breaker: true,
  },
  { row: '500', event: { phase: 'answered', status: 500 }, acts: RETRY_UNLESS_UNSAFE, class: 'transient', breaker: true, retries: 3 },
  ...each(answered(502, 504, 520, 524, 527), { row: 'ambiguous gateway', acts: RETRY_UNLESS_UNSAFE, class: 'ambiguous', breaker: true }),
  ...each(answered(521, 522, 523), { row: 'gateway could not connect', acts: 'retry', class: 'not-sent', breaker: true }),
  ...each(answered(501, 505, 506, 508, 510, 511), { row: 'permanent 5xx', acts: 'fail', class: 'permanent', breaker: false }),
  ...each(answered(525, 526), { row: 'permanent 5xx', acts: 'fail', class: 'permanent', breaker: true }),
  ...each(answered(400, 401, 402, 403, 404, 405, 410, 422, 451), { row: 'other 4xx', acts: 'fail', class: 'permanent', breaker: false }),
  ...each(answered(507, 530, 599), { row: 'other 5xx', acts: RETRY_UNLESS_UNSAFE, class: 'transient', breaker: true, retries: 3 }),
  {
    row: 'should-retry: true',
    event: { phase: 'answered', status: 400 },
    facts: { shouldRetry: true },
    acts: 'retry',
    class: 'transient',
    breaker: false,
  },
  {
    row: 'should-retry: false',
    event: { phase: 'answered', status: 429 },
    facts: { shouldRetry: false },
    acts: 'fail',
    class: 'permanent',
    breaker: false,
  },
];

const cases = TABLE.flatMap((one) =>
  EFFECTS.filter((effect) => one.only?.includes(effect) ?? true).map((effect) => ({
    ...one,
    effect,
    act: (typeof one.acts === 'string' ? one.acts : one.acts[EFFECTS.indexOf(effect)]) as Act,
    name: 'status' in one.event ? String(one.event.status) : 'why' in one.event ? one.event.why : one.event.phase,
  })),
);

describe('classification', () => {
  it.each(cases)('$row: $name of a $effect call leads to $act', ({ row, event, facts, effect, act, class: kind, breaker, retries }) => {
    const decision = classify(event, effect, facts);
    expect(decision).toMatchObject({ row, act, class: kind, breaker });
    expect(decision.retries).toBe(retries);
  });

  it('never fails an unsafe call that may have happened and never repeats it, whatever the status', () => {
    for (let status = 500; status < 600; status++) {
      const keyed = classify({ phase: 'answered', status }, 'keyed');
      const unsafe = classify({ phase: 'answered', status }, 'unsafe');
      if (keyed.act === 'retry' && keyed.class !== 'not-sent') expect(unsafe.act).toBe('unknown');
      else expect(unsafe).toEqual(keyed);
    }
  });

  it.each(EFFECTS)('judges a failure by its status, however long its body is: %s', (effect) => {
    for (let status = 300; status < 600; status++) {
      const short = classify({ phase: 'answered', status }, effect, { retryAfter: true });
      expect(classify({ phase: 'answered', status }, effect, { retryAfter: true, tooLarge: true })).toEqual(short);
    }
  });

  it('waits out a keyed 409 that says the first request is still being worked on, at most five times', () => {
    const facts = { inFlight: true };
    expect(classify({ phase: 'answered', status: 409 }, 'keyed', facts)).toMatchObject({
      row: '409 in flight',
      act: 'retry',
      retries: 5,
      between: [1_000, 5_000],
    });
    for (const effect of ['safe', 'idempotent', 'unsafe'] as const)
      expect(classify({ phase: 'answered', status: 409 }, effect, facts).act).toBe('fail');
  });

  it('fails a keyed 500 that the API says it would replay', () => {
    expect(classify({ phase: 'answered', status: 500 }, 'keyed', { replayed: true })).toMatchObject({ row: '500 replayed', act: 'fail' });
    expect(classify({ phase: 'answered', status: 500 }, 'idempotent', { replayed: true }).act).toBe('retry');
  });

  it('leaves an unknown unknown when the server says not to retry, and a throttle a throttle when it says to', () => {
    expect(classify({ phase: 'answered', status: 502 }, 'unsafe', { shouldRetry: false }).act).toBe('unknown');
    expect(classify({ phase: 'answered', status: 429 }, 'safe', { shouldRetry: true })).toMatchObject({ row: 'throttle', act: 'wait' });
  });

  it('asks for a fresh socket after what may be the socket itself', () => {
    expect(classify({ phase: 'ambiguous', why: 'broken' }, 'safe').fresh).toBe(true);
    expect(classify({ phase: 'answered', status: 421 }, 'safe').fresh).toBe(true);
    expect(classify({ phase: 'answered', status: 503 }, 'safe').fresh).toBeUndefined();
  });
});
