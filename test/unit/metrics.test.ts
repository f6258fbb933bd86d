import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { emf } from '../../src/aws/emf.ts';
import { metricsObserver } from '../../src/aws/run-metrics.ts';
import type { EngineEvent } from '../../src/engine/ports.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { type Harness, harness } from '../support/http.ts';
import { observed } from '../support/observed.ts';

type Document = {
  _aws: {
    Timestamp: number;
    CloudWatchMetrics: Array<{ Namespace: string; Dimensions: string[][]; Metrics: Array<{ Name: string; Unit: string }> }>;
  };
  [member: string]: unknown;
};

let printed: string[];
beforeEach(() => {
  printed = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed.push(String(text));
    return true;
  });
});
afterEach(() => void vi.restoreAllMocks());

const documents = () => printed.map((line) => JSON.parse(line) as Document);

/** `RunsEnded{Stage=test,Status=succeeded}` → what was printed of it. */
function metrics(): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const document of documents()) {
    for (const { Dimensions, Metrics } of document._aws.CloudWatchMetrics) {
      for (const names of Dimensions) {
        const dimensions = names.map((name) => `${name}=${String(document[name])}`).sort();
        for (const { Name } of Metrics) found[`${Name}{${dimensions.join(',')}}`] = document[Name];
      }
    }
  }
  return found;
}

const attempt = (fields: Partial<Extract<EngineEvent, { type: 'call.attempt' }>>, record: object): EngineEvent => ({
  type: 'call.attempt',
  run: 'run_1',
  workflow: 'w',
  call: 'c',
  operation: 'GET crm /a',
  kind: 'call',
  effect: 'safe',
  target: 'crm',
  attempt: 1,
  outcome: 'done',
  startedAt: 0,
  record: { n: 1, phase: 'answered', row: '2xx', class: 'success', status: 200, ms: { total: 20 }, ...record } as never,
  ...fields,
});

describe('what a run does', () => {
  let world: Harness;
  beforeEach(async () => {
    world = await harness();
  });
  afterEach(() => world.close());

  it('is in the metrics: runs by workflow and status, calls by connection, effect and outcome, waits, writes, batches', async () => {
    const crm = world.connect();
    world.server.script(({ url }) => {
      if (url === '/busy' && world.server.received.filter((one) => one.url === url).length === 1)
        return { status: 429, headers: { 'retry-after': '30' } };
      return url === '/none' ? { status: 404 } : { body: '{}' };
    });
    const definition = workflow({
      name: 'onboard',
      async run() {
        await crm.get('/a');
        await crm.get('/busy');
        await sleep('1h');
        await crm.get('/none');
      },
    });
    const out = emf('test');
    const observe = metricsObserver(out);
    const run = observed(definition, { observe });
    await run.deliver();
    await run.deliver({ after: 60_000 });
    await run.deliver({ after: 3_700_000 });
    await run.close();
    out.flush();
    const found = metrics();
    expect(found).toMatchObject({
      'RunsStarted{Stage=test,Workflow=onboard}': 1,
      'RunsEnded{Stage=test,Status=failed,Workflow=onboard}': 1,
      'RunsFailed{Stage=test}': 1,
      'Calls{Connection=crm,Effect=safe,Outcome=done,Stage=test}': 2,
      'Calls{Connection=crm,Effect=safe,Outcome=again,Stage=test}': 1,
      'Calls{Connection=crm,Effect=safe,Outcome=fail,Stage=test}': 1,
      'Throttled{Connection=crm,Stage=test}': 1,
      'Waits{Stage=test}': 2,
      'RunWrites{Stage=test}': 3,
      'BatchSize{Stage=test}': [1, 1, 1],
    });
    expect(found['CallDuration{Connection=crm,Stage=test}']).toHaveLength(4);
    expect(Number(found['RunDuration{Stage=test,Workflow=onboard}'])).toBeGreaterThanOrEqual(3_700_000);
    // A wait that the API asked for is no retry.
    expect(found).not.toHaveProperty('Retries{Connection=crm,Stage=test}');
  });
});

it('counts a paused run for its workflow, and for the alarm of the stage', () => {
  const out = emf('test');
  metricsObserver(out)({ type: 'run.paused', run: 'run_1', workflow: 'onboard', reason: { code: 'E_SECRET_MISSING', message: '' } });
  out.flush();
  expect(metrics()).toEqual({ 'RunsPaused{Stage=test,Workflow=onboard}': 1, 'RunsPaused{Stage=test}': 1 });
});

it('counts retries, throttling and refused messages apart', () => {
  const out = emf('test');
  const observe = metricsObserver(out);
  observe(attempt({ outcome: 'again' }, { class: 'transient', status: 500 }));
  observe(attempt({ outcome: 'again' }, { class: 'throttle', status: 429 }));
  observe({ type: 'message.refused', reason: { code: 'E_MESSAGE_MALFORMED', message: '' } });
  out.flush();
  expect(metrics()).toMatchObject({
    'Retries{Connection=crm,Stage=test}': 1,
    'Throttled{Connection=crm,Stage=test}': 1,
    'Calls{Connection=crm,Effect=safe,Outcome=again,Stage=test}': 2,
    'DeadLetters{Stage=test}': 1,
  });
});

it('counts a call that was put off because it was not its turn, and not as one that was sent', () => {
  const out = emf('test');
  const what = { run: 'run_1', workflow: 'w', call: 'c1', operation: 'GET crm /', why: 'rate', until: 1 };
  metricsObserver(out)({ type: 'call.deferred', ...what, target: 'crm' });
  out.flush();
  expect(metrics()).toEqual({ 'Deferred{Connection=crm,Stage=test}': 1 });
});

it('counts as calls only what was sent: no asking about an unknown one, nothing that was given up before, no step', () => {
  const out = emf('test');
  const observe = metricsObserver(out);
  observe(attempt({ outcome: 'pause', record: null }, {}));
  observe(attempt({ outcome: 'resend', record: { row: 'unknown: retry' } }, {}));
  observe(attempt({ outcome: 'again' }, { phase: 'deferred', class: 'deferred' }));
  const { target: _target, ...step } = attempt({ kind: 'step' }, {}) as Extract<EngineEvent, { type: 'call.attempt' }>;
  observe(step);
  out.flush();
  expect(printed).toEqual([]);
});

describe('the documents', () => {
  it('are as CloudWatch reads them: the namespace, exactly the named dimensions, a unit for every metric', () => {
    const out = emf('prod');
    out.count('RunsEnded', { Workflow: 'w', Status: 'failed' });
    out.value('RunDuration', 'Milliseconds', 12, { Workflow: 'w' });
    out.flush();
    expect(documents()).toEqual([
      {
        _aws: {
          Timestamp: expect.any(Number),
          CloudWatchMetrics: [
            { Namespace: 'Holdfast', Dimensions: [['Stage', 'Workflow', 'Status']], Metrics: [{ Name: 'RunsEnded', Unit: 'Count' }] },
          ],
        },
        Stage: 'prod',
        Workflow: 'w',
        Status: 'failed',
        RunsEnded: 1,
      },
      {
        _aws: {
          Timestamp: expect.any(Number),
          CloudWatchMetrics: [
            { Namespace: 'Holdfast', Dimensions: [['Stage', 'Workflow']], Metrics: [{ Name: 'RunDuration', Unit: 'Milliseconds' }] },
          ],
        },
        Stage: 'prod',
        Workflow: 'w',
        RunDuration: 12,
      },
    ]);
  });

  it('are one for each set of dimensions, however many runs a batch has, and none when nothing happened', () => {
    const out = emf('test');
    const observe = metricsObserver(out);
    batch(observe, 10);
    expect(printed).toEqual([]);
    out.flush();
    // Stage; workflow; workflow and status; connection; connection, effect and outcome.
    expect(printed).toHaveLength(5);
    printed = [];
    batch(observe, 100);
    out.flush();
    // And four more for the 500 durations of its calls, and none for what is only counted.
    expect(printed).toHaveLength(10);
    printed = [];
    out.flush();
    expect(printed).toEqual([]);
  });

  it('hold at most 100 values of a metric: more of them make another document', () => {
    const out = emf('test');
    const values = Array.from({ length: 250 }, (_, nth) => nth);
    for (const value of values) out.value('CallDuration', 'Milliseconds', value, { Connection: 'crm' });
    out.flush();
    const held = documents().map((document) => [document.CallDuration].flat());
    expect(held.map(({ length }) => length)).toEqual([100, 100, 50]);
    expect(held.flat()).toEqual(values);
    expect(documents().every(({ Stage, Connection }) => Stage === 'test' && Connection === 'crm')).toBe(true);
  });
});

/** What a run of five calls tells. */
function batch(observe: (event: EngineEvent) => void, runs: number): void {
  for (let nth = 0; nth < runs; nth++) {
    const about = { run: `run_${nth}`, workflow: 'w' };
    observe({ type: 'run.started', ...about });
    for (let call = 0; call < 5; call++) observe(attempt({ ...about, call: `c${call}` }, {}));
    observe({ type: 'run.written', ...about, what: 'finish' });
    observe({ type: 'run.ended', ...about, status: 'succeeded', ms: nth });
  }
  observe({ type: 'batch.handled', messages: runs, runs, kept: 0, ms: 1_000 });
}

it('costs a batch of ten runs with fifty calls less than a millisecond', () => {
  const out = emf('test');
  const observe = metricsObserver(out);
  const once = () => {
    const began = performance.now();
    batch(observe, 10);
    out.flush();
    return performance.now() - began;
  };
  for (let nth = 0; nth < 200; nth++) once();
  const took = Array.from({ length: 50 }, once).sort((a, b) => a - b);
  vi.restoreAllMocks();
  console.log(`metrics of a batch of 10 runs: ${took[25]?.toFixed(3)} ms, ${printed.length / 250} documents`);
  // The best: other processes on this machine are none of its cost.
  expect(took[0]).toBeLessThan(1);
});
