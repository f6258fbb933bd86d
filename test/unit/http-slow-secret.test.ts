/** An attempt has no more time than its total, and preparing it is part of it: what is ready too late is never sent. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeEntries } from '../../src/engine/journal.ts';
import type { AttemptEnv, Live, Operation, Verdict } from '../../src/engine/operation.ts';
import type { Clock, RunRecord, SecretSource } from '../../src/engine/ports.ts';
import { runId } from '../../src/engine/start.ts';
import { createWorker } from '../../src/engine/worker.ts';
import { registry, workflow } from '../../src/engine/workflow.ts';
import { bearer } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { buildCall } from '../../src/http/call.ts';
import { connection } from '../../src/http/connection.ts';
import { makeCore } from '../../src/http/core.ts';
import { callOperation } from '../../src/http/operation.ts';
import type { ConnectionOptions } from '../../src/http/options.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { type HttpRuntime, httpRuntime } from '../../src/http/runtime.ts';
import { memoryPayloadStore, memoryRunStore, memoryWakeQueue, seededEntropy, virtualClock } from '../../src/testing/index.ts';
import { type Harness, harness } from '../support/http.ts';

const TOTAL = 30_000;

let world: Harness;
let http: HttpRuntime;
/** The clock of attempts. Sockets have the real one. */
let time: ReturnType<typeof virtualClock>;
/** By how much a process was frozen: the time is later, and no timer has fired yet. */
let frozen: number;
let get: SecretSource['get'];

beforeEach(async () => {
  world = await harness();
  time = virtualClock();
  frozen = 0;
  get = async () => 'a-secret-in-time';
  http = httpRuntime({
    clock: plainClock,
    secrets: { get: (name, options) => get(name, options) },
    deploymentKey: async () => 'test-key',
    allowLoopback: true,
  });
});
afterEach(async () => {
  await http.transport.close();
  await world.close();
});

const clock = { now: () => time.now() + frozen, timer: (ms: number, fn: () => void) => time.timer(ms, fn) };

function operation(more: Partial<ConnectionOptions> = {}, method = 'POST'): Operation {
  const core = makeCore({ name: 'crm', baseUrl: world.server.url, auth: bearer(secret('crm/token')), timeout: TOTAL, ...more });
  return callOperation(buildCall(core, method, '/', {}));
}

function attempt(call: Operation, more: Partial<AttemptEnv> = {}): Promise<Verdict | Live> {
  return call.attempt({
    op: call.identity,
    keyMaterial: 'material',
    attempt: 1,
    throttles: 0,
    issuedAt: clock.now(),
    quickRetries: 0,
    remaining: 180_000,
    signal: new AbortController().signal,
    clock,
    entropy: seededEntropy(1),
    services: { http },
    ...more,
  });
}

/** Until an attempt stands at its timer. */
async function waiting(): Promise<void> {
  while (time.pending() === 0) await new Promise((turn) => setImmediate(turn));
}

test('a secret that takes longer than the total is given up: nothing is sent then, nor when it comes at last', async () => {
  let deliver = (_: string) => {};
  get = () =>
    new Promise((resolve) => {
      deliver = resolve;
    });
  const verdict = attempt(operation());
  await waiting();
  time.advance(TOTAL);
  expect(await verdict).toMatchObject({
    type: 'again',
    counts: 'attempt',
    record: { n: 1, row: 'not prepared' },
    error: { code: 'E_CALL_FAILED', message: expect.stringContaining('could not be prepared') as string },
  });
  deliver('a-secret-too-late');
  get = async () => 'a-secret-in-time';
  // Whatever the first one would have sent is there before the answer to the second.
  expect(await attempt(operation())).toMatchObject({ type: 'done' });
  expect(world.server.received.map(({ headers }) => headers.authorization)).toEqual(['Bearer a-secret-in-time']);
});

test('nothing is sent by a process that was frozen while its secret came', async () => {
  get = async () => {
    frozen += TOTAL;
    return 'a-secret-too-late';
  };
  expect(await attempt(operation())).toMatchObject({ type: 'again', counts: 'attempt', record: { row: 'not prepared' } });
  expect(world.server.received).toHaveLength(0);
});

test('the last attempt that is prepared too late fails as what was never sent, not as what may have happened', async () => {
  get = async () => {
    frozen += TOTAL;
    return 'a-secret-too-late';
  };
  const verdict = await attempt(operation({ retry: { attempts: 3 } }), { attempt: 3 });
  expect(verdict).toMatchObject({ type: 'fail', error: { code: 'E_CALL_FAILED', detail: { attempts: 3 } } });
  expect(verdict.type === 'fail' && verdict.error.detail).not.toHaveProperty('mayHaveHappened');
});

test('sending has what preparing has left', async () => {
  world.server.script({ hang: true });
  get = async () => {
    frozen += TOTAL - 100;
    return 'a-secret-in-time';
  };
  expect(await attempt(operation())).toMatchObject({
    type: 'unknown',
    error: { message: expect.stringContaining('within 100 ms') as string },
  });
  expect(world.server.received).toHaveLength(1);
});

test('a secret that is asked for anew after a 401 has what is left, not the whole time once more', async () => {
  world.server.script(() => {
    frozen += TOTAL - 1_000;
    get = () => new Promise(() => {});
    return { status: 401 };
  });
  const verdict = attempt(operation());
  await new Promise<void>((answered) => {
    const look = () => (world.server.received.length > 0 && time.pending() > 0 ? answered() : setImmediate(look));
    look();
  });
  time.advance(1_000);
  expect(await verdict).toMatchObject({ type: 'fail', error: { detail: { status: 401 } } });
});

test('what broke on a stale socket when the time was up is not called unsent', async () => {
  const call = operation({ retry: { attempts: 1 } }, 'PUT');
  await attempt(call);
  world.server.script(() => {
    frozen += TOTAL;
    return { reset: 'after-effect' };
  });
  expect(await attempt(call)).toMatchObject({ type: 'fail', error: { detail: { mayHaveHappened: true } } });
  expect(world.server.effects).toHaveLength(2);
});

describe('an unsafe call in a run whose secret came too late', () => {
  /** Deliveries of one run whose first `late` secrets come too late, with real time between what is frozen. */
  function durable(late: number) {
    let asked = 0;
    get = async () => {
      if (++asked <= late) frozen += TOTAL;
      return 'a-secret';
    };
    const crm = connection({
      name: 'crm',
      baseUrl: world.server.url,
      auth: bearer(secret('crm/token')),
      timeout: TOTAL,
      retry: { attempts: 2 },
    });
    const real: Clock = { now: () => Date.now() + frozen, timer: plainClock.timer };
    const store = memoryRunStore();
    const worker = createWorker({
      store,
      payloads: memoryPayloadStore(),
      wake: memoryWakeQueue({ clock: real }),
      clock: real,
      entropy: { ...seededEntropy(1), random: () => 0.5 },
      observe: () => {},
      registry: registry([workflow({ name: 'w', run: async () => (await crm.post('/')).status })]),
      services: { http },
    });
    return async (ms: number) => {
      const body = JSON.stringify({ workflow: 'w', input: {}, idempotencyKey: 'k' });
      const invocation = { deadline: real.now() + ms, owner: `o${real.now()}`, done: () => {} };
      await worker.handle([{ id: 'm', queue: 'start', body, receiveCount: 1 }], invocation);
      const id = runId('default', 'w', 'k');
      const run = (await store.load([id])).get(id) as RunRecord;
      return { run, entries: run.journal ? decodeEntries(run.journal).map(({ k }) => k) : [] };
    };
  }

  test('is sent by the next attempt, once', async () => {
    const deliver = durable(1);
    expect((await deliver(180_000)).run).toMatchObject({ status: 'succeeded' });
    expect(world.server.effects).toHaveLength(1);
  });

  test('is not unknown to the worker that comes after', async () => {
    const deliver = durable(1);
    const { run, entries } = await deliver(TOTAL + 20_000);
    expect(run.status).toBe('waiting');
    expect(world.server.received).toHaveLength(0);
    expect(entries.at(-1)).not.toBe('start');
    frozen += 60_000;
    expect((await deliver(180_000)).run).toMatchObject({ status: 'succeeded' });
    expect(world.server.effects).toHaveLength(1);
  });

  test('fails the run when it never comes in time, instead of leaving it to a person', async () => {
    const { run } = await durable(99)(180_000);
    expect(run).toMatchObject({ status: 'failed', outcome: { error: { code: 'E_CALL_FAILED' } } });
    expect(world.server.received).toHaveLength(0);
  });
});
