import { expect, test } from 'vitest';
import { z } from 'zod';
import { step } from '../../src/engine/step.ts';
import { log, now, sleep } from '../../src/engine/verbs.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { createRig, done, HOUR, MINUTE, NEVER, type Rig } from '../support/engine/rig.ts';
import { rigOf } from '../support/engine/scenario.ts';

test('a run whose START could not be written gives its place among the calls in flight back', async () => {
  const rig = rigOf(async (r, effect) => r.call('post', effect as 'keyed' | 'safe'), { maxInFlight: 1 });
  const worker = rig.worker();
  rig.faults.before = (op) => {
    if (op === 'create') throw new Error('the store is down');
  };
  const first = await rig.invoke([rig.message('w', 'keyed', 'a')], { worker });
  expect(first.kept).toHaveLength(1);
  delete rig.faults.before;
  await rig.invoke([rig.message('w', 'safe', 'b')], { worker });
  expect(rig.record('w', 'b').status).toBe('succeeded');
});

test('an effect that was begun and that the code no longer issues is a divergence, not a second effect', async () => {
  let body = 'one';
  const made: string[] = [];
  const rig = rigOf(async () =>
    step(`post ${body}`, () => {
      made.push(body);
      return NEVER;
    }),
  );
  await rig.invoke([rig.message('w')], { until: () => made.length === 1 });
  body = 'two';
  rig.clock.advance(10 * MINUTE);
  await rig.invoke([rig.wakeMessage(rig.idOf('w'))]);
  expect(made).toEqual(['one']);
  const { status, reason } = rig.record('w');
  expect(status).toBe('paused');
  expect(reason?.code).toBe('E_DIVERGED');
  expect(reason?.message).toContain('- journal: step post one');
  expect(reason?.message).toMatch(/\+ code: {4}step post two at .*engine-regressions\.test\.ts:\d+/);
});

test('a step named like the second of another name is not taken for it', async () => {
  const rig = rigOf(async () => Promise.all([step('x', () => 1), step('x', () => 2), step('x #1', () => 3), step('x #1', () => 4)]));
  await rig.runToEnd('w');
  expect(rig.value('w')).toEqual([1, 2, 3, 4]);
});

test('an unsafe call that paused before it was sent is sent when the run is resumed', async () => {
  const rig = rigOf(async (r) =>
    r.call('post', 'unsafe', {
      answer: (_env, nth) => (nth === 1 ? { type: 'pause', error: { code: 'E_SECRET_MISSING', message: 'no token' } } : done('sent')),
    }),
  );
  expect((await rig.runToEnd('w')).reason?.code).toBe('E_SECRET_MISSING');
  await rig.resume('w');
  expect(rig.value('w')).toBe('sent');
});

test('what came into the inbox of a stub while the run was being created is read before the run is parked', async () => {
  const rig = rigOf(async (r) => {
    await r.call('post', 'keyed');
    await sleep('1h');
  });
  let read = 0;
  rig.faults.before = async (op) => {
    if (op === 'inbox') read += 1;
    if (op !== 'create' || rig.store.peek(rig.idOf('w'))) return;
    await rig.store.deliver(rig.idOf('w'), { key: 's', at: 0, kind: 'signal', data: null }, rig.clock.now());
  };
  await rig.invoke([rig.message('w')]);
  expect(rig.record('w')).toMatchObject({ status: 'waiting', inbox: 1, inboxSeen: 1 });
  expect(read).toBe(1);
});

test('the result of an unsafe call outlives a finish that the inbox put off', async () => {
  const rig = rigOf(async (r) => Promise.all([r.call('post', 'unsafe', { ms: 100 }), r.call('other', 'unsafe', { ms: 100 })]));
  let moved = false;
  rig.faults.before = async (op) => {
    if (op !== 'replace' || moved || rig.sends('post') === 0) return;
    moved = true;
    await rig.store.deliver(rig.idOf('w'), { key: 's', at: 0, kind: 'signal', data: null }, rig.clock.now());
  };
  await rig.invoke([rig.message('w')]);
  expect(moved).toBe(true);
  expect(rig.record('w').status).toBe('succeeded');
  expect(rig.events.filter((event) => event.type === 'run.ended')).toHaveLength(1);
  expect(rig.sent).toHaveLength(2);
});

test('the time a run began is the same for code that reads it before and after the first write', async () => {
  const seen: number[] = [];
  const rig = rigOf(async (r) => {
    seen.push(now());
    await r.call('get');
    await sleep('1h');
    await r.call('get again');
  });
  await rig.runToEnd('w');
  expect(seen).toHaveLength(2);
  expect(seen[1]).toBe(seen[0]);
});

test('a line logged before the first await is logged, once', async () => {
  const rig = rigOf(async (r) => {
    log.info('begins');
    await r.call('get');
    log.info('has read');
    await sleep('1h');
    log.info('has slept');
  });
  await rig.runToEnd('w');
  const lines = rig.events.flatMap((event) => (event.type === 'log' ? [event.message] : []));
  expect(lines).toEqual(['begins', 'has read', 'has slept']);
});

test.each([
  ['absent', undefined],
  ['null', null],
])('a workflow whose input is optional runs without one (%s)', async (_how, input) => {
  let rig: Rig;
  const optional = workflow({
    name: 'o',
    input: z.object({ a: z.number() }).optional(),
    run: async (given) => ({ given: given ?? 'none' }),
  });
  const nothing = workflow({ name: 'n', input: z.null(), run: async () => sleep('1h') });
  rig = createRig({ workflows: [optional, nothing] });
  for (const name of ['o', 'n']) {
    const body = JSON.stringify({ workflow: name, ...(input === undefined ? {} : { input }), idempotencyKey: 'k' });
    await rig.invoke([{ id: name, queue: 'start', body, receiveCount: 1 }]);
    await rig.wakeToEnd(name);
    expect(rig.record(name).status).toBe('succeeded');
  }
});

test('a result or an error of any size ends the run, in an item that a table takes', async () => {
  const rig = rigOf(async (_r, how) => {
    if (how === 'throws') throw new Error('x'.repeat(1_000_000));
    return (how === 'long' ? 'x' : '語').repeat(1_000_000);
  });
  for (const how of ['long', 'wide', 'throws']) {
    const record = await rig.runToEnd('w', how, how);
    expect(record.endedAt).toBeDefined();
    expect(Buffer.byteLength(JSON.stringify(record))).toBeLessThan(50_000);
  }
  expect(rig.error('w', 'throws').message).toMatch(/^x+… \(1000000 characters\)$/);
});

test('what no invocation is long enough for fails and says so, instead of waking for ever', async () => {
  const rig = rigOf(async () => step('long', () => 1, { timeout: '10m' }));
  const record = await rig.runToEnd('w');
  expect(record.status).toBe('failed');
  expect(rig.error('w').message).toContain('step long: its timeout of 600000 ms is longer than an invocation');
  expect(rig.wake.sent.length).toBeLessThan(6);
});

test('what only came too late in its invocations is made in one that has the time', async () => {
  let rig: Rig;
  const slow = workflow({ name: 'slow', run: async () => rig.call('slow', 'safe', { ms: 150_000, timeout: 160_000 }) });
  const definition = workflow({ name: 'w', run: async () => step('long', () => 'made', { timeout: '60s' }) });
  rig = createRig({ workflows: [slow, definition] });
  for (let i = 0; i < 5; i++) {
    // Delivered again, so worked on after its neighbour, which leaves it half a minute.
    await rig.invoke([rig.message('slow', null, `k${i}`), rig.message('w', null, 'k', 2)]);
    expect(rig.record('w')).toMatchObject({ status: 'waiting', idleWakes: i + 1 });
  }
  await rig.wakeToEnd('w');
  expect(rig.value('w')).toBe('made');
});

test('a step that is unknown each time and is to be retried ends after its attempts', async () => {
  let tries = 0;
  const rig = rigOf(async () =>
    step(
      'hangs',
      () => {
        tries += 1;
        return NEVER;
      },
      { timeout: '1m', onUnknown: 'retry', attempts: 3 },
    ),
  );
  const record = await rig.runToEnd('w');
  expect(record.status).toBe('failed');
  expect(rig.error('w').code).toBe('E_UNKNOWN_OUTCOME');
  expect(tries).toBe(3);
});

test('nothing of a read that nobody waits for any more stays behind when its run has ended', async () => {
  let aborted = false;
  const rig = rigOf(async () =>
    Promise.race([
      step(
        'slow',
        ({ signal }) =>
          new Promise<string>((next) => {
            signal.addEventListener('abort', () => {
              aborted = true;
              next('aborted');
            });
          }),
        { safe: true, timeout: HOUR / 60 },
      ),
      step('quick', () => 'quick', { safe: true }),
    ]),
  );
  await rig.invoke([rig.message('w')]);
  await rig.settle(() => false, rig.clock.now());
  expect(rig.value('w')).toBe('quick');
  expect(aborted).toBe(true);
  expect(rig.clock.pending()).toBe(0);
});
