import { describe, expect, it } from 'vitest';
import type { DeadLetter } from '../../src/engine/ports.ts';
import { runId } from '../../src/engine/start.ts';
import { testApi } from '../support/api.ts';

const AT = Date.UTC(2026, 0, 1);
const INPUT = { domain: 'acme.example', seats: 3 };
const message = (over: object = {}) => JSON.stringify({ workflow: 'onboard', input: INPUT, ...over });
const letter = (id: string, over: Partial<DeadLetter> = {}): DeadLetter => ({
  id,
  body: message(),
  reason: { code: 'E_UNKNOWN_WORKFLOW', message: 'no workflow "onboard" is deployed' },
  firstSeen: AT,
  tenant: 'default',
  workflow: 'onboard',
  ...over,
});

async function withLetters(letters: readonly DeadLetter[], options: Parameters<typeof testApi>[0] = {}) {
  const t = testApi(options);
  for (const one of letters) await t.store.putDeadLetter(one);
  const left = async () => (await t.store.listDeadLetters({ limit: 200 })).items.map(({ id }) => id).sort();
  const redrive = async (json: object) => {
    const reply = await t.call('POST', '/v1/dead-letters/redrive', { json });
    expect(reply.status).toBe(202);
    return reply.body as unknown as {
      redriven: Array<{ id: string; run: string }>;
      refused: Array<{ id: string; code: string; reason: string }>;
      next?: string;
    };
  };
  return { ...t, left, redrive };
}

describe('dead letters', () => {
  it.each([
    [{ code: 'E_INPUT_INVALID' }, ['b']],
    [{ workflow: 'anything' }, ['c']],
    [{ tenant: 'acme' }, ['d']],
    [{ tenant: 'acme', code: 'E_INPUT_INVALID' }, []],
    [{}, ['a', 'b', 'c', 'd']],
  ])('are listed by %j', async (query, expected) => {
    const { call } = await withLetters([
      letter('a'),
      letter('b', { reason: { code: 'E_INPUT_INVALID', message: 'no' } }),
      letter('c', { workflow: 'anything' }),
      letter('d', { tenant: 'acme' }),
    ]);
    const { body } = await call('GET', '/v1/dead-letters', { query });
    expect(body.items.map(({ id }) => id).sort()).toEqual(expected);
  });

  it('that were too long for their item say how long they are', async () => {
    const { call } = await withLetters([
      letter('a', {
        body: 'x'.repeat(100),
        reason: { code: 'E_MESSAGE_TOO_LARGE', message: 'no', detail: { bodyRef: 'dead-letters/a', bodyBytes: 300_000 } },
      }),
    ]);
    expect((await call('GET', '/v1/dead-letters')).body.items).toMatchObject([{ bytes: 300_000, truncated: true }]);
  });

  it('are forgotten one by one', async () => {
    const { call, left } = await withLetters([letter('a'), letter('b')]);
    expect((await call('DELETE', '/v1/dead-letters/a')).status).toBe(204);
    expect(await left()).toEqual(['b']);
    for (const id of ['a', 'redrivex', '%20', `${'x'.repeat(400)}`]) {
      expect(await call('DELETE', `/v1/dead-letters/${id}`)).toMatchObject({ status: 404, body: { code: 'E_UNKNOWN_DEAD_LETTER' } });
    }
  });
});

describe('redriving dead letters', () => {
  it('makes a run of what is valid by now, by its own key or that of its message, and removes it', async () => {
    const { redrive, left, store } = await withLetters([
      letter('a'),
      letter('b', { body: message({ idempotencyKey: 'order-1', tenant: 'acme' }) }),
    ]);
    const { redriven, refused } = await redrive({ ids: ['a', 'b'] });
    const runs = [runId('default', 'onboard', 'a'), runId('acme', 'onboard', 'order-1')];
    expect(redriven).toEqual([
      { id: 'a', run: runs[0] },
      { id: 'b', run: runs[1] },
    ]);
    expect(refused).toEqual([]);
    expect(await left()).toEqual([]);
    expect(store.peek(runs[0] as string)).toMatchObject({ status: 'queued', key: 'a', input: { text: JSON.stringify(INPUT) } });
    expect(store.peek(runs[1] as string)).toMatchObject({ status: 'queued', key: 'order-1', tenant: 'acme' });
  });

  it('takes the tenant of the letter where its message names none', async () => {
    const { redrive } = await withLetters([letter('a', { tenant: 'acme' })]);
    expect((await redrive({ ids: ['a'] })).redriven).toEqual([{ id: 'a', run: runId('acme', 'onboard', 'a') }]);
  });

  it('leaves what is still invalid, and says why', async () => {
    const { redrive, left } = await withLetters([
      letter('not json', { id: 'json', body: '{' }),
      letter('unknown', { body: message({ workflow: 'nothing' }) }),
      letter('invalid', { body: message({ input: { ...INPUT, seats: 0 } }) }),
      letter('valid'),
    ]);
    const { redriven, refused } = await redrive({ filter: {} });
    expect(redriven.map(({ id }) => id)).toEqual(['valid']);
    expect(Object.fromEntries(refused.map(({ id, code }) => [id, code]))).toEqual({
      json: 'E_MESSAGE_MALFORMED',
      unknown: 'E_UNKNOWN_WORKFLOW',
      invalid: 'E_INPUT_INVALID',
    });
    expect(refused.find(({ id }) => id === 'invalid')?.reason).toContain('/input/seats');
    expect(await left()).toEqual(['invalid', 'json', 'unknown']);
  });

  it('leaves one whose key belongs to another run by now, or to one that was deleted', async () => {
    const { redrive, putRun, call, left } = await withLetters([
      letter('taken'),
      letter('dead', { body: message({ workflow: 'anything' }) }),
    ]);
    await call('POST', '/v1/workflows/onboard/runs', { json: { ...INPUT, seats: 9 }, headers: { 'Idempotency-Key': 'taken' } });
    const run = await putRun({ status: 'succeeded', outcome: { value: { text: '1' } } }, 'dead');
    await call('DELETE', `/v1/runs/${run.id}`);
    const { refused } = await redrive({ ids: ['taken', 'dead'] });
    expect(refused).toMatchObject([
      { id: 'taken', code: 'E_KEY_CONFLICT' },
      { id: 'dead', code: 'E_RUN_DELETED' },
    ]);
    expect(await left()).toEqual(['dead', 'taken']);
  });

  it('meets the run that it has made, when its letter could not be removed the first time', async () => {
    let isAway = true;
    const { call, redrive, left } = await withLetters([letter('a')], {
      faults: {
        before: (op) => {
          if (op === 'removeDeadLetter' && isAway) throw new Error('throttled');
        },
      },
    });
    expect((await call('POST', '/v1/dead-letters/redrive', { json: { ids: ['a'] } })).status).toBe(500);
    expect(await left()).toEqual(['a']);
    isAway = false;
    expect((await redrive({ ids: ['a'] })).redriven).toEqual([{ id: 'a', run: runId('default', 'onboard', 'a') }]);
    expect(await left()).toEqual([]);
  });

  it('reads a body that is kept apart whole', async () => {
    const body = message({ workflow: 'anything', input: 'x'.repeat(100_000) });
    const cut = letter('a', {
      body: body.slice(0, 100),
      reason: { code: 'E_UNKNOWN_WORKFLOW', message: 'no', detail: { bodyRef: 'dead-letters/a' } },
    });
    const { redrive, payloads, left } = await withLetters([
      cut,
      { ...cut, id: 'b', reason: { ...cut.reason, detail: { bodyRef: 'dead-letters/b/body' } } },
    ]);
    await payloads.put('dead-letters/a', Buffer.from(body));
    const { redriven, refused } = await redrive({ ids: ['a', 'b'] });
    expect(redriven).toHaveLength(1);
    expect(refused).toMatchObject([{ id: 'b', code: 'E_PAYLOAD_MISSING' }]);
    expect(await left()).toEqual(['b']);
  });

  it('begins so many a second, without holding the request, and does not count what is refused', async () => {
    const letters = Array.from({ length: 9 }, (_, i) => letter(`l${i}`, i === 4 ? { body: '{' } : {}));
    const { redrive, wake, clock } = await withLetters(letters);
    const began = clock.now();
    await redrive({ ids: letters.map(({ id }) => id), perSecond: 2 });
    expect(clock.now()).toBe(began);
    // SQS delays by whole seconds: two begin in each.
    expect(wake.sent.map(({ delayMs }) => delayMs / 1_000).sort()).toEqual([0, 1, 1, 2, 2, 3, 3, 4]);
  });

  it('goes on from where it was, over those that stay', async () => {
    const letters = Array.from({ length: 5 }, (_, i) => letter(`l${i}`, { firstSeen: AT + i, ...(i === 3 ? { body: '{' } : {}) }));
    const { redrive, left } = await withLetters(letters);
    const first = await redrive({ filter: { workflow: 'onboard' }, limit: 3 });
    expect([first.redriven.length, first.refused.length]).toEqual([2, 1]);
    const second = await redrive({ filter: { workflow: 'onboard' }, limit: 3, after: first.next });
    expect([second.redriven.length, second.refused.length, second.next]).toEqual([2, 0, undefined]);
    expect(await left()).toEqual(['l3']);
  });

  it('tells of ids that are none, and takes one that is named twice once', async () => {
    const { redrive } = await withLetters([letter('a')]);
    const { redriven, refused } = await redrive({ ids: ['a', 'b', 'a'] });
    expect(redriven).toHaveLength(1);
    expect(refused).toEqual([{ id: 'b', code: 'E_UNKNOWN_DEAD_LETTER', reason: expect.stringContaining('there is no dead letter "b"') }]);
  });

  it.each<[string, object, string]>([
    ['neither ids nor a filter', {}, ''],
    ['both', { ids: ['a'], filter: {} }, ''],
    ['no ids', { ids: [] }, '/ids'],
    ['too many ids', { ids: Array(101).fill('a') }, '/ids'],
    ['an id that cannot be', { ids: ['a b'] }, '/ids/0'],
    ['too fast a pace', { filter: {}, perSecond: 101 }, '/perSecond'],
    ['no pace', { filter: {}, perSecond: 0 }, '/perSecond'],
    ['too many', { filter: {}, limit: 101 }, '/limit'],
    ['a filter that is none', { filter: { colour: 'red' } }, '/filter/colour'],
    ['a code that is none', { filter: { code: 'x' } }, '/filter/code'],
  ])('is refused given %s', async (_, json, pointer) => {
    const { call, left } = await withLetters([letter('a')]);
    expect(await call('POST', '/v1/dead-letters/redrive', { json })).toMatchObject({
      status: 400,
      body: { code: 'E_REQUEST_INVALID', pointer },
    });
    expect(await left()).toEqual(['a']);
  });
});
