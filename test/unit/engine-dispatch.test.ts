import { describe, expect, test } from 'vitest';
import { dispatch, MAX_DELAY_MS, type Message } from '../../src/engine/dispatch.ts';
import type { RunRecord, RunStatus, Stub } from '../../src/engine/ports.ts';
import { prepareStart } from '../../src/engine/start.ts';
import { registry, workflow } from '../../src/engine/workflow.ts';

const NOW = 1_000_000_000;
const ME = 'this invocation';
const definition = workflow({ name: 'w', run: async () => null });
const start = await prepareStart(registry([definition]), { workflow: 'w', input: { a: 1 }, idempotencyKey: 'k' }, 'k');
const other = await prepareStart(registry([definition]), { workflow: 'w', input: { a: 2 }, idempotencyKey: 'k' }, 'k');

const START: Message = { kind: 'start', start };
const WAKE: Message = { kind: 'wake', run: start.id };
const STUB: Stub = { id: start.id, stub: true, inbox: 3 };

function run(fields: Partial<RunRecord> = {}): RunRecord {
  return {
    id: start.id,
    tenant: 'default',
    workflow: 'w',
    version: 1,
    engine: 1,
    key: 'k',
    status: 'queued',
    incarnation: 0,
    nonce: 'n',
    createdAt: 0,
    crashes: 0,
    inbox: 0,
    input: { text: '{"a":1}' },
    fingerprint: start.fingerprint,
    spilled: false,
    journalLength: 0,
    ...fields,
  };
}

const parked = (fields: Partial<RunRecord> = {}) => run({ status: 'waiting', inbox: 2, inboxSeen: 2, wakeAt: NOW + 60_000, ...fields });
const lease = (until: number, owner = 'another') => ({ lease: { owner, until } });

const rows: Array<[string, Message, number, RunRecord | Stub | undefined, object]> = [
  ['a start of an unknown run begins it', START, 1, undefined, { do: 'begin', start, inbox: 0, suspect: false }],
  ['a start received again claims first', START, 2, undefined, { do: 'begin', start, inbox: 0, suspect: true }],
  ['a start of a stub begins with the counter of its inbox', START, 1, STUB, { do: 'begin', start, inbox: 3, suspect: false }],
  ['a start of a stub received again claims first', START, 7, STUB, { do: 'begin', start, inbox: 3, suspect: true }],
  ['a wake of an unknown run is deleted', WAKE, 1, undefined, { do: 'delete', why: 'unknown' }],
  ['a wake of a stub is deleted', WAKE, 9, STUB, { do: 'delete', why: 'unknown' }],
  ['a queued run is taken over', WAKE, 1, run(), { do: 'takeOver', suspect: false }],
  ['a queued run is taken over by its start', START, 1, run(), { do: 'takeOver', suspect: false }],
  ['a queued run received again claims first', WAKE, 2, run(), { do: 'takeOver', suspect: true }],
  ['a live lease keeps others out', WAKE, 1, run({ status: 'running', ...lease(NOW + 1) }), { do: 'delete', why: 'owned' }],
  [
    'a message received again comes back at its end',
    START,
    3,
    run({ status: 'running', ...lease(NOW + 9) }),
    { do: 'resend', delayMs: 10 },
  ],
  [
    'at most as far as a queue delays',
    WAKE,
    2,
    run({ status: 'running', ...lease(NOW + 2 * MAX_DELAY_MS) }),
    { do: 'resend', delayMs: MAX_DELAY_MS - 1 },
  ],
  ['even with something in the inbox', WAKE, 1, run({ status: 'running', inbox: 5, ...lease(NOW + 1) }), { do: 'delete', why: 'owned' }],
  [
    'a live lease of this invocation does not',
    WAKE,
    1,
    run({ status: 'running', ...lease(NOW + 1, ME) }),
    { do: 'takeOver', suspect: false },
  ],
  [
    'a lease that ends now is over, and its worker died',
    WAKE,
    1,
    run({ status: 'running', ...lease(NOW) }),
    { do: 'takeOver', suspect: true },
  ],
  [
    'a lapsed lease was left by a worker that died',
    WAKE,
    1,
    run({ status: 'running', ...lease(NOW - 1) }),
    { do: 'takeOver', suspect: true },
  ],
  ['running without a lease is taken over', WAKE, 1, run({ status: 'running' }), { do: 'takeOver', suspect: false }],
  ['too early: the wake is sent again with the rest', WAKE, 1, parked(), { do: 'resend', delayMs: 60_000 }],
  ['too early by a start message too', START, 1, parked(), { do: 'resend', delayMs: 60_000 }],
  ['too early by a millisecond', WAKE, 1, parked({ wakeAt: NOW + 1 }), { do: 'resend', delayMs: 1 }],
  ['due now', WAKE, 1, parked({ wakeAt: NOW }), { do: 'takeOver', suspect: false }],
  ['overdue', WAKE, 1, parked({ wakeAt: NOW - 1 }), { do: 'takeOver', suspect: false }],
  ['as far as a queue delays', WAKE, 1, parked({ wakeAt: NOW + MAX_DELAY_MS - 1 }), { do: 'resend', delayMs: MAX_DELAY_MS - 1 }],
  ['further than a queue delays is the sweeper’s', WAKE, 1, parked({ wakeAt: NOW + MAX_DELAY_MS }), { do: 'delete', why: 'far' }],
  ['something in the inbox wakes early', WAKE, 1, parked({ inbox: 3 }), { do: 'takeOver', suspect: false }],
  ['however far its time is', WAKE, 1, parked({ inbox: 3, wakeAt: NOW + 10 * MAX_DELAY_MS }), { do: 'takeOver', suspect: false }],
  ['waiting without a time is looked at', WAKE, 1, (({ wakeAt: _w, ...rest }) => rest)(parked()), { do: 'takeOver', suspect: false }],
  ['paused with nothing new stays so', WAKE, 1, parked({ status: 'paused' }), { do: 'delete', why: 'paused' }],
  ['paused with nothing new, received again', START, 4, parked({ status: 'paused' }), { do: 'delete', why: 'paused' }],
  ['paused with something new goes on', WAKE, 1, parked({ status: 'paused', inbox: 3 }), { do: 'takeOver', suspect: false }],
  [
    'four crashes in a row are tried again',
    WAKE,
    1,
    run({ status: 'running', crashes: 4, ...lease(NOW - 1) }),
    { do: 'takeOver', suspect: true },
  ],
  ['five are not', WAKE, 1, run({ status: 'running', crashes: 5, ...lease(NOW - 1) }), { do: 'crashed' }],
  ['five, but somebody is at it', WAKE, 1, run({ status: 'running', crashes: 5, ...lease(NOW + 1) }), { do: 'delete', why: 'owned' }],
  [
    'another input with the same key is refused',
    { kind: 'start', start: other },
    1,
    run(),
    { do: 'refuse', reason: { code: 'E_KEY_CONFLICT' } },
  ],
  [
    'refused when the run has ended, too',
    { kind: 'start', start: other },
    1,
    run({ status: 'succeeded', endedAt: 1 }),
    { do: 'refuse', reason: { code: 'E_KEY_CONFLICT', detail: { run: start.id } } },
  ],
];

test.each(rows)('%s', (_name, message, receiveCount, found, expected) => {
  const answer = dispatch(message, receiveCount, found, NOW, ME);
  expect(answer).toMatchObject(expected);
  expect(Object.keys(answer).sort()).toEqual(
    [...new Set([...Object.keys(expected), ...(answer.do === 'takeOver' || answer.do === 'crashed' ? ['record'] : [])])].sort(),
  );
});

/** Every combination, against the words of the table. */
describe('over every combination of run and message', () => {
  const statuses: RunStatus[] = ['queued', 'running', 'waiting', 'paused', 'succeeded', 'failed', 'cancelled'];
  const every: Array<{ message: Message; receiveCount: number; found: RunRecord }> = [];
  for (const status of statuses)
    for (const held of [undefined, lease(NOW + 1), lease(NOW - 1), lease(NOW + 1, ME), lease(NOW - 1, ME)])
      for (const inbox of [2, 3])
        for (const wakeAt of [undefined, NOW - 1, NOW, NOW + 1, NOW + MAX_DELAY_MS - 1, NOW + MAX_DELAY_MS])
          for (const crashes of [0, 4, 5, 6])
            for (const receiveCount of [1, 2])
              for (const message of [START, WAKE])
                every.push({
                  message,
                  receiveCount,
                  found: run({ status, inbox, inboxSeen: 2, crashes, ...(wakeAt === undefined ? {} : { wakeAt }), ...held }),
                });
  const each = (claim: (one: (typeof every)[number], answer: ReturnType<typeof dispatch>) => boolean) => {
    for (const one of every) {
      const answer = dispatch(one.message, one.receiveCount, one.found, NOW, ME);
      if (!claim(one, answer)) throw new Error(JSON.stringify({ one, answer }));
    }
  };
  const final = (found: RunRecord) => ['succeeded', 'failed', 'cancelled'].includes(found.status);
  const ownedByAnother = (found: RunRecord) => found.lease !== undefined && found.lease.owner !== ME && found.lease.until > NOW;

  test('a finished run is never worked on again', () => each(({ found }, answer) => !final(found) || answer.do === 'delete'));

  test('nobody works on a run that another owns', () =>
    each(({ found, receiveCount }, answer) => {
      if (final(found) || !ownedByAnother(found)) return true;
      return receiveCount > 1 ? answer.do === 'resend' : answer.do === 'delete' && answer.why === 'owned';
    }));

  test('a message is deleted only when its run is finished, owned, paused as before, or far from its time', () =>
    each(({ found }, answer) => {
      if (answer.do !== 'delete') return true;
      const asBefore = found.inbox === found.inboxSeen;
      if (answer.why === 'finished') return final(found);
      if (answer.why === 'owned') return ownedByAnother(found);
      if (answer.why === 'paused') return found.status === 'paused' && asBefore;
      return answer.why === 'far' && found.status === 'waiting' && asBefore && (found.wakeAt ?? 0) >= NOW + MAX_DELAY_MS;
    }));

  test('something new in the inbox is always looked at, unless somebody is at it or it is over', () =>
    each(
      ({ found }, answer) =>
        found.inbox === found.inboxSeen || final(found) || ownedByAnother(found) || answer.do === 'takeOver' || answer.do === 'crashed',
    ));

  test('whoever may have brought a worker down is claimed first', () =>
    each(({ receiveCount, found }, answer) => {
      if (answer.do !== 'takeOver') return true;
      return answer.suspect === (receiveCount > 1 || (found.lease !== undefined && found.lease.owner !== ME));
    }));

  test('five crashes and nothing else fail a run', () =>
    each(
      ({ found }, answer) =>
        (answer.do === 'crashed') === (answer.do === 'crashed' && found.crashes >= 5) && (answer.do !== 'takeOver' || found.crashes < 5),
    ));

  test('a delay is one that a queue takes', () =>
    each((_one, answer) => answer.do !== 'resend' || (answer.delayMs > 0 && answer.delayMs < MAX_DELAY_MS)));
});
