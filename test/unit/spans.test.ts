import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runSpans } from '../../src/aws/run-spans.ts';
import { step } from '../../src/engine/step.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { type Workflow, workflow } from '../../src/engine/workflow.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { type Harness, harness } from '../support/http.ts';
import { type Observed, observed, TRACE, TRACEPARENT } from '../support/observed.ts';

let world: Harness;
let exporter: InMemorySpanExporter;
let run: Observed | undefined;
beforeEach(async () => {
  world = await harness();
  exporter = new InMemorySpanExporter();
});
afterEach(async () => {
  for (const api of [trace, context, propagation]) api.disable();
  await run?.close();
  await world.close();
});

function register(sampler?: Sampler): void {
  const spanProcessors = [new SimpleSpanProcessor(exporter)];
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors, ...(sampler ? { sampler } : {}) }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
}

function watched(definition: Workflow, traceparent?: string): Observed {
  const { observe, tracer } = runSpans();
  run = observed(definition, { observe, tracer, ...(traceparent === undefined ? {} : { traceparent }) });
  return run;
}

const named = (name: string): ReadableSpan[] => exporter.getFinishedSpans().filter((span) => span.name === name);
const sent = () => world.server.received.map(({ headers }) => headers.traceparent as string | undefined);
const parentOf = ({ parentSpanContext }: ReadableSpan) => parentSpanContext?.spanId;

describe('with a registered tracer provider', () => {
  it('a delivery of a run is a span in its caller’s trace, and each attempt a span below it which the API is told of', async () => {
    register();
    const crm = world.connect();
    world.server.script({ status: 503 }, { status: 429, headers: { 'retry-after': '60' } }, { body: '{}' });
    watched(
      workflow({ name: 'onboard', run: async () => void (await crm.get('/companies/acme', { query: { key: 'private' } })) }),
      TRACEPARENT,
    );
    await run?.deliver();
    const [ended] = await (run as Observed).deliver({ after: 120_000 });

    const deliveries = named('run onboard');
    expect(deliveries.map(({ kind }) => kind)).toEqual([SpanKind.CONSUMER, SpanKind.CONSUMER]);
    expect(deliveries.map((span) => [span.spanContext().traceId, parentOf(span)])).toEqual([
      [TRACE, 'b7ad6b7169203331'],
      [TRACE, 'b7ad6b7169203331'],
    ]);
    expect(deliveries.map(({ attributes }) => attributes)).toEqual([
      {
        'holdfast.run.id': ended?.id,
        'holdfast.workflow': 'onboard',
        'holdfast.run.resumed': false,
        'holdfast.outcome': 'parked',
        'holdfast.wake_at': expect.stringMatching(/^\d{4}-.*Z$/),
      },
      { 'holdfast.run.id': ended?.id, 'holdfast.workflow': 'onboard', 'holdfast.run.resumed': true, 'holdfast.outcome': 'succeeded' },
    ]);

    const attempts = named('GET crm');
    const [first, second] = deliveries.map((span) => span.spanContext().spanId);
    expect(attempts.map(parentOf)).toEqual([first, first, second]);
    expect(sent()).toEqual(attempts.map((span) => `00-${TRACE}-${span.spanContext().spanId}-01`));
    expect(attempts[0]?.kind).toBe(SpanKind.CLIENT);
    expect(attempts[0]?.attributes).toEqual({
      'http.request.method': 'GET',
      'server.address': '127.0.0.1',
      'server.port': world.server.port,
      'url.full': `${world.server.url}/companies/acme`,
      'http.response.status_code': 503,
      'error.type': '503',
      'holdfast.connection': 'crm',
      'holdfast.run.id': ended?.id,
      'holdfast.workflow': 'onboard',
      'holdfast.call.id': expect.any(String),
      'holdfast.outcome': 'again',
    });
    expect(attempts.map(({ attributes }) => attributes['http.request.resend_count'])).toEqual([undefined, 1, 2]);
    expect(attempts.map(({ status }) => status.code)).toEqual([SpanStatusCode.ERROR, SpanStatusCode.ERROR, SpanStatusCode.UNSET]);
    expect(attempts[2]?.attributes).not.toHaveProperty('error.type');
  });

  it('a step’s attempts are spans below its run, too, and sleeps are none', async () => {
    register();
    let tries = 0;
    const stepping = workflow({
      name: 'stepping',
      async run() {
        await step(
          'load users',
          () => {
            tries += 1;
            if (tries === 1) throw new Error('not yet');
          },
          { safe: true },
        );
        await sleep('1h');
      },
    });
    await watched(stepping).deliver();
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(['step load users', 'step load users', 'run stepping']);
    const [failed, done, delivery] = exporter.getFinishedSpans();
    expect([failed, done].map((span) => parentOf(span as ReadableSpan))).toEqual(Array(2).fill(delivery?.spanContext().spanId));
    expect([failed, done].map((span) => span?.status.code)).toEqual([SpanStatusCode.ERROR, SpanStatusCode.UNSET]);
    expect(failed?.attributes).toMatchObject({ 'holdfast.outcome': 'again', 'error.type': 'failed' });
    expect(done?.attributes).toMatchObject({ 'holdfast.outcome': 'done', 'holdfast.attempt': 2 });
  });

  it('a run that was started outside any trace goes on in the invocation’s, and its calls with it', async () => {
    register();
    const crm = world.connect();
    watched(workflow({ name: 'lonely', run: async () => void (await crm.get('/a')) }));
    const invocation = trace.getTracer('lambda').startSpan('invocation');
    await context.with(trace.setSpan(context.active(), invocation), () => run?.deliver());
    expect(named('run lonely').map(parentOf)).toEqual([invocation.spanContext().spanId]);
    expect(sent()).toEqual([`00-${invocation.spanContext().traceId}-${named('GET crm')[0]?.spanContext().spanId}-01`]);
  });

  it('a run within a caller’s trace is linked to the invocation', async () => {
    register();
    watched(workflow({ name: 'linked', run: async () => 1 }), TRACEPARENT);
    const invocation = trace.getTracer('lambda').startSpan('invocation');
    await context.with(trace.setSpan(context.active(), invocation), () => run?.deliver());
    expect(named('run linked')[0]?.links.map((link) => link.context.spanId)).toEqual([invocation.spanContext().spanId]);
    expect(named('run linked')[0]?.spanContext().traceId).toBe(TRACE);
  });

  it('a run that failed says why, by the code and not by the values it had', async () => {
    register();
    const crm = world.connect();
    world.server.script({ status: 404, body: 'nobody is called Ada' });
    await watched(workflow({ name: 'failing', run: async () => void (await crm.get('/a')) })).deliver();
    const [delivery] = named('run failing');
    expect(delivery?.attributes).toMatchObject({ 'holdfast.outcome': 'failed', 'error.type': 'E_CALL_FAILED' });
    expect(delivery?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'GET crm /a: answered 404' });
    expect(named('GET crm')[0]?.attributes).toMatchObject({ 'http.response.status_code': 404, 'error.type': '404' });
  });

  it('an attempt that nobody answered says in what class its failure is', async () => {
    register();
    const crm = world.connect({ retry: { attempts: 1 } });
    world.server.script({ reset: 'before-effect' });
    await watched(workflow({ name: 'broken', run: async () => void (await crm.get('/a')) })).deliver();
    expect(named('GET crm')[0]?.attributes).toMatchObject({ 'error.type': 'ambiguous', 'holdfast.outcome': 'fail' });
  });

  it('an unsampled trace is not recorded, and the API is told so', async () => {
    register(new AlwaysOffSampler());
    const crm = world.connect();
    await watched(workflow({ name: 'quiet', run: async () => void (await crm.get('/a')) }), TRACEPARENT).deliver();
    expect(exporter.getFinishedSpans()).toEqual([]);
    expect(sent()).toEqual([expect.stringMatching(new RegExp(`^00-${TRACE}-[\\da-f]{16}-00$`))]);
  });

  it('a call outside any run is a span below whatever is active', async () => {
    register();
    await world.close();
    world = await harness({ tracer: runSpans().tracer });
    const crm = world.connect();
    const active = trace.getTracer('script').startSpan('script');
    await context.with(trace.setSpan(context.active(), active), () => crm.get('/a'));
    expect(named('GET crm').map(parentOf)).toEqual([active.spanContext().spanId]);
    expect(named('GET crm')[0]?.attributes).not.toHaveProperty('holdfast.call.id');
  });

  it('what was handed back to the queue ends with its batch', () => {
    register();
    const { observe } = runSpans();
    observe({ type: 'run.started', run: 'run_1', workflow: 'w' });
    observe({ type: 'run.started', run: 'run_1', workflow: 'w' });
    observe({ type: 'batch.handled', messages: 1, runs: 1, kept: 1, ms: 5 });
    expect(named('run w').map(({ attributes }) => attributes['holdfast.outcome'])).toEqual(['again', 'kept']);
  });

  it('flushing waits for the provider, and not for one that never answers', async () => {
    let flushed = 0;
    const provider = (forceFlush: () => Promise<void>) => ({ getTracer: () => new BasicTracerProvider().getTracer('x'), forceFlush });
    trace.setGlobalTracerProvider(
      provider(async () => {
        flushed += 1;
      }),
    );
    await runSpans().flush(plainClock);
    expect(flushed).toBe(1);
    trace.disable();
    trace.setGlobalTracerProvider(provider(() => new Promise(() => {})));
    const waits: number[] = [];
    const clock = {
      now: () => 0,
      timer(ms: number, fn: () => void) {
        waits.push(ms);
        return plainClock.timer(0, fn);
      },
    };
    await runSpans().flush(clock);
    trace.disable();
    trace.setGlobalTracerProvider(provider(() => Promise.reject(new Error('the collector is gone'))));
    await runSpans().flush(plainClock);
    expect(waits).toEqual([1_000]);
  });
});

describe('without a registered tracer provider', () => {
  it('nothing is recorded, and the run’s trace goes on by itself', async () => {
    const crm = world.connect();
    const definition = workflow({ name: 'plain', run: async () => void (await crm.get('/a')) });
    await watched(definition, TRACEPARENT).deliver();
    await run?.close();
    await watched(definition).deliver();
    await runSpans().flush(plainClock);
    expect(sent()).toEqual([expect.stringMatching(new RegExp(`^00-${TRACE}-(?!b7ad6b7169203331)[\\da-f]{16}-01$`)), undefined]);
  });

  it('watching a run costs less than 20 µs', () => {
    const { observe } = runSpans();
    const once = () => {
      const began = performance.now();
      for (let nth = 0; nth < 100; nth++) {
        observe({ type: 'run.started', run: `run_${nth}`, workflow: 'w', traceparent: TRACEPARENT });
        observe({ type: 'run.ended', run: `run_${nth}`, workflow: 'w', status: 'succeeded', ms: 1 });
      }
      return (performance.now() - began) / 100;
    };
    for (let nth = 0; nth < 50; nth++) once();
    expect(Math.min(...Array.from({ length: 20 }, once))).toBeLessThan(0.02);
  });
});
