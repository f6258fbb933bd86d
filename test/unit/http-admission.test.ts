/** What admission is asked before a call, that its answers are heeded, and that it is told once how each attempt went. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { workflow } from '../../src/engine/workflow.ts';
import { bearer } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import type { CallError } from '../../src/http/errors.ts';
import { usePlainRuntime } from '../../src/http/runtime.ts';
import { failure, type Harness, harness } from '../support/http.ts';
import { resultOf, runOver } from '../support/http-run.ts';
import { type ScriptedAdmission, scriptedAdmission } from '../support/scripted-admission.ts';

const DAY = 86_400_000;
const GOOD = { type: 'good' };
const BAD = { type: 'bad' };
const NEUTRAL = { type: 'neutral' };

let admission: ScriptedAdmission;
let world: Harness;
beforeEach(async () => {
  admission = scriptedAdmission();
  world = await harness({ admission });
});
afterEach(async () => {
  await world.close();
  expect(admission.open).toBe(0);
});

const laterBy = (ms: number, place?: number) => () => ({
  type: 'later' as const,
  at: world.runtime.clock.now() + ms,
  why: 'rate' as const,
  ...(place === undefined ? {} : { place }),
});

describe('what is asked', () => {
  it('has the account, the limits, the weight, the time and the patience of the call', async () => {
    const crm = world.connect({
      rateLimit: [
        { requests: 100, per: '1s', burst: 5 },
        { requests: 5_000, per: '1 day' },
      ],
      concurrency: 3,
      onAdmissionError: 'local',
      timeout: '7s',
      routes: [{ path: '/export', weight: 10 }],
    });
    const began = world.runtime.clock.now();
    await crm.for('acme').get('/export', { retry: { deadline: '1h' } });
    await crm.post('/', { json: {}, weight: 2 });
    expect(admission.asked).toMatchObject([
      {
        key: { connection: 'crm', account: 'acme' },
        limits: [
          { requests: 100, per: 1_000, burst: 5 },
          { requests: 5_000, per: DAY, burst: 1 },
        ],
        concurrency: 3,
        onError: 'local',
        tenant: 'default',
        effect: 'safe',
        weight: 10,
        retry: false,
        timeout: 7_000,
        patience: 2_000,
        place: undefined,
      },
      { key: { connection: 'crm' }, effect: 'unsafe', weight: 2 },
    ]);
    const { until = 0 } = admission.asked[0] ?? {};
    expect(until - began).toBeGreaterThanOrEqual(3_600_000);
    expect(until - began).toBeLessThan(3_660_000);
  });

  it('says of a connection without limits that it has none', async () => {
    await world.connect().get('/');
    expect(admission.asked).toMatchObject([{ limits: [], concurrency: 0, onError: 'wait', weight: 1 }]);
  });

  it('says which attempts are retries', async () => {
    world.server.script({ status: 500 }, {});
    await world.connect().get('/');
    expect(admission.asked.map(({ retry }) => retry)).toEqual([false, true]);
  });

  it('says for which tenant a run calls, and that it has no patience beyond its invocation', async () => {
    usePlainRuntime(undefined);
    const crm = world.connect({ timeout: '97s' });
    const run = runOver(world.runtime, workflow({ name: 'w', run: async () => (await crm.get('/')).status }));
    expect(resultOf(await run.deliver())).toBe(200);
    const [ask] = admission.asked;
    expect(ask?.tenant).toBe('default');
    // 100 s of the invocation less 2 s of reserve less 97 s.
    expect(ask?.patience).toBeGreaterThan(900);
    expect(ask?.patience).toBeLessThanOrEqual(1_000);
  });

  it('weighs no heavier than a limit: that is refused, not waited for', async () => {
    const crm = world.connect({ rateLimit: { requests: 5, per: '1s' } });
    await expect(crm.get('/', { weight: 6 })).rejects.toThrow(/weight must be at most 5/);
    expect(admission.asked).toEqual([]);
  });
});

describe('a call outside a run', () => {
  it('waits as long as it is told, and comes again with its place', async () => {
    admission.script(laterBy(90_000, 7), laterBy(500, 8), 'go');
    expect((await world.connect().get('/')).status).toBe(200);
    expect(admission.asked.map(({ place, retry }) => [place, retry])).toEqual([
      [undefined, false],
      [7, false],
      [8, false],
    ]);
    expect(world.waits.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThanOrEqual(90_400);
    expect(world.server.received).toHaveLength(1);
  });

  it('gives the permission back if it is given up while it asks', async () => {
    const stop = new AbortController();
    admission.script(async ({ signal }) => {
      stop.abort(new Error('enough'));
      expect(signal.aborted).toBe(true);
      return admission.permit();
    });
    await expect(world.connect().get('/', { signal: stop.signal })).rejects.toThrow('enough');
    expect(admission.told).toEqual(['dropped']);
    expect(world.server.received).toEqual([]);
  });

  it.each([
    ['rate', 'the rate limit of connection "crm" has no room (rateLimit)'],
    ['breaker', 'the circuit breaker of connection "crm" is open'],
    ['hold', 'connection "crm" is on hold'],
  ] as const)('fails at once if there is no place before its deadline, and says what is in the way: %s', async (why, words) => {
    const at = world.runtime.clock.now() + 2 * DAY;
    admission.script({ type: 'never', at, why });
    const error = await failure<CallError>(world.connect().get('/'));
    expect(error).toMatchObject({ name: 'CallError', code: 'E_DEADLINE', attempts: 0, detail: { heldBy: why, notBefore: at } });
    expect(error.message).toBe(`GET crm /: ${words}, and it could not be sent before the deadline of ${DAY} ms (retry.deadline)`);
    expect(world.server.received).toEqual([]);
  });

  it('does not wait for a place beyond its deadline', async () => {
    admission.script(laterBy(2 * DAY));
    expect(await failure(world.connect().get('/'))).toMatchObject({ code: 'E_DEADLINE' });
    expect(world.waits).toEqual([]);
  });
});

describe('right before it is sent', () => {
  it('is asked once more, after everything is prepared, and not again for a second sending of the attempt', async () => {
    const crm = world.connect({ auth: bearer(secret('crm/token')) });
    world.server.script({ status: 401 }, {});
    world.secrets.set('crm/token', 'old');
    admission.hold('send');
    const reply = crm.get('/');
    world.secrets.set('crm/token', 'new');
    expect((await reply).status).toBe(200);
    expect(admission.confirms).toBe(1);
    expect(admission.told).toEqual([GOOD]);
  });

  it('is not sent if that says later, uses up nothing, and comes again with its place', async () => {
    const at = world.runtime.clock.now() + 5_000;
    admission.hold({ type: 'later', at, why: 'gate', place: 12 });
    expect((await world.connect({ retry: { attempts: 1, throttles: 0 } }).post('/', { json: {} })).status).toBe(200);
    expect(world.server.received).toHaveLength(1);
    expect(admission.asked.map(({ place, retry }) => [place, retry])).toEqual([
      [undefined, false],
      [12, false],
    ]);
    expect(admission.told).toEqual(['withdrawn', GOOD]);
  });

  it('fails if that is beyond its deadline', async () => {
    admission.hold({ type: 'later', at: world.runtime.clock.now() + 2 * DAY, why: 'gate' });
    expect(await failure(world.connect().get('/'))).toMatchObject({ code: 'E_DEADLINE', detail: { heldBy: 'gate' } });
    expect(admission.told).toEqual(['withdrawn']);
  });
});

describe('how it went is told', () => {
  const rateLimit = { requests: 10, per: '30s' } as const;
  const once = { retry: { attempts: 1, throttles: 0 } };

  it.each([
    ['a success', { status: 200 }, [GOOD]],
    ['a status that is its caller’s own fault', { status: 404 }, [GOOD]],
    ['a redirect that is not followed', { status: 302, headers: { location: '/' } }, [GOOD]],
    ['a failure of the API', { status: 500 }, [BAD]],
    ['a gateway that could not reach it', { status: 502 }, [BAD]],
    ['no answer', { reset: 'before-effect' }, [BAD]],
    ['what is no HTTP', { raw: 'nonsense\r\n\r\n' }, [BAD]],
  ] as const)('of %s', async (_what, fate, told) => {
    world.server.script(fate);
    await world
      .connect(once)
      .get('/')
      .catch(() => {});
    expect(admission.told).toEqual(told);
  });

  it.each([
    ['as long as it asked for', { 'retry-after': '45' }, rateLimit, 45_000],
    ['as long as its shortest window, if it asked for nothing', {}, rateLimit, 30_000],
    ['an hour at most then', {}, { requests: 10, per: '1 day' }, 3_600_000],
    ['two seconds if it has no window', {}, undefined, 2_000],
  ] as const)('of a throttle, %s', async (_what, headers, limit, ms) => {
    world.server.script({ status: 429, headers });
    const began = world.runtime.clock.now();
    await failure(world.connect({ ...once, ...(limit === undefined ? {} : { rateLimit: limit }) }).get('/'));
    expect(admission.told).toMatchObject([{ type: 'throttled' }]);
    const [outcome] = admission.told as Array<{ type: 'throttled'; until: number }>;
    expect((outcome?.until ?? 0) - began).toBeGreaterThanOrEqual(ms);
    expect((outcome?.until ?? 0) - began).toBeLessThan(ms + 10_000);
  });

  it.each([200, 404, 500])('of an answer with status %i whose quota is used up: others are to wait, the call is not', async (status) => {
    world.server.script({ status, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '60' } });
    const began = world.runtime.clock.now();
    await world
      .connect(once)
      .get('/')
      .catch(() => {});
    expect(admission.told).toMatchObject([{ type: 'throttled' }]);
    const [outcome] = admission.told as Array<{ type: 'throttled'; until: number }>;
    expect((outcome?.until ?? 0) - began).toBeGreaterThanOrEqual(59_000);
    expect(world.waits).toEqual([]);
  });

  it.each([
    ['has something left', { 'x-ratelimit-remaining': '1', 'x-ratelimit-reset': '60' }],
    ['does not say until when', { 'x-ratelimit-remaining': '0' }],
    ['is new already', { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '0' }],
  ])('of a quota that %s: nothing', async (_what, headers) => {
    world.server.script({ headers });
    await world.connect().get('/');
    expect(admission.told).toEqual([GOOD]);
  });

  it('for every attempt', async () => {
    world.server.script({ status: 500 }, { status: 503 }, {});
    await world.connect().get('/');
    expect(admission.told).toEqual([BAD, BAD, GOOD]);
  });

  it('once for a redirect that is followed', async () => {
    world.server.script({ status: 302, headers: { location: '/there' } }, {});
    await world.connect({ redirects: 'follow' }).get('/');
    expect(world.server.received).toHaveLength(2);
    expect(admission.told).toEqual([GOOD]);
  });

  it('once for a stale socket and its resending', async () => {
    const crm = world.connect();
    await crm.get('/');
    await new Promise((turned) => setImmediate(turned));
    world.server.script({ reset: 'on-head' }, {});
    await crm.get('/');
    expect(world.server.received).toHaveLength(3);
    expect(admission.told).toEqual([GOOD, GOOD]);
  });

  it('not of what was never sent: that is given back', async () => {
    await failure(world.connect({ auth: bearer(secret('not/there')) }).get('/'));
    expect(admission.told).toEqual(['dropped']);
  });

  it('not of what the guard refused', async () => {
    await failure(world.connect({ baseUrl: 'https://10.0.0.1' }).get('/'));
    expect(admission.told).toEqual(['dropped']);
  });

  it('as nothing of the API’s if it was given up on the way', async () => {
    const stop = new AbortController();
    world.server.script(() => {
      stop.abort();
      return { hang: true };
    });
    await failure(world.connect().get('/', { signal: stop.signal }));
    expect(admission.told).toEqual([NEUTRAL]);
  });

  it('also if a judge of the user’s throws', async () => {
    await failure(
      world
        .connect({
          successWhen: () => {
            throw new Error('mistaken');
          },
        })
        .get('/'),
    );
    expect(admission.told).toEqual([NEUTRAL]);
  });
});

describe('a probe', () => {
  it('that fails uses up no attempt, and asks again with its place', async () => {
    const crm = world.connect({ retry: { attempts: 2, schedule: ['1ms'] } });
    admission.isProbe = true;
    world.server.script(...Array.from({ length: 5 }, () => ({ status: 503 })), {});
    expect((await crm.get('/')).status).toBe(200);
    expect(admission.told).toEqual([BAD, BAD, BAD, BAD, BAD, GOOD]);
    expect(admission.asked.map(({ retry, place }) => [retry, place])).toEqual([
      [false, undefined],
      ...Array.from({ length: 5 }, () => [false, { line: 7 }]),
    ]);
  });

  it('of an unsafe call is unknown when nobody answers, as any other', async () => {
    const crm = world.connect({ onUnknown: 'throw' });
    admission.isProbe = true;
    world.server.script({ reset: 'after-effect' });
    expect(await failure(crm.post('/', { json: {} }))).toMatchObject({ code: 'E_UNKNOWN_OUTCOME' });
  });
});

describe('a run', () => {
  it('is put down until its turn without a START, and the journal says what it waits for', async () => {
    usePlainRuntime(undefined);
    const crm = world.connect();
    const run = runOver(world.runtime, workflow({ name: 'w', run: async () => (await crm.post('/', { json: {} })).status }));
    admission.script((ask) =>
      ask.place === undefined ? { type: 'later', at: ask.until - 1, why: 'hold', place: { n: 3 } } : admission.permit(),
    );
    const parked = await run.deliver();
    expect(parked).toMatchObject({ status: 'waiting' });
    expect(world.server.received).toEqual([]);
    expect(resultOf(await run.throughWaits())).toBe(200);
    expect(admission.asked.map(({ place }) => place)).toEqual([undefined, { n: 3 }]);
    expect(world.server.effects).toHaveLength(1);
  });

  it('that is closed while a read is on its way tells nothing of the API', async () => {
    usePlainRuntime(undefined);
    const crm = world.connect();
    world.server.script(({ url }) => (url === '/slow' ? { hang: true } : {}));
    const run = runOver(
      world.runtime,
      workflow({ name: 'w', run: async () => Promise.race([crm.get('/slow'), crm.get('/')]).then(() => 1) }),
    );
    expect(resultOf(await run.deliver())).toBe(1);
    await expect.poll(() => admission.told).toEqual([GOOD, NEUTRAL]);
  });
});

describe('a reply that is given while it comes', () => {
  it('is told of when it has ended', async () => {
    world.server.script({ headers: { 'content-type': 'text/event-stream' }, body: 'data: 1\n\n' });
    const response = await world.connect().fetch('/');
    expect(await response.text()).toBe('data: 1\n\n');
    await expect.poll(() => admission.told).toEqual([GOOD]);
  });

  it('is no failure of the API if its reader has enough of it', async () => {
    world.server.script({ headers: { 'content-type': 'text/event-stream' }, body: 'data: 1\n\n', drip: 20 });
    const response = await world.connect().fetch('/');
    expect(admission.told).toEqual([]);
    await response.body?.cancel();
    await expect.poll(() => admission.told).toEqual([NEUTRAL]);
  });
});

describe('without an admission', () => {
  it('limits are kept by nobody, and calls go', async () => {
    const plain = await harness();
    const crm = plain.connect({ rateLimit: { requests: 1, per: '1h' }, concurrency: 1 });
    await Promise.all([crm.get('/'), crm.get('/')]);
    expect(plain.server.received).toHaveLength(2);
    await plain.close();
  });
});
