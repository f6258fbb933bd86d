import { Logger } from '@aws-lambda-powertools/logger';
import middy from '@middy/core';
import { trace } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { Context } from 'aws-lambda';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { telemetry, together } from '../../src/aws/telemetry.ts';
import type { EngineEvent } from '../../src/engine/ports.ts';
import { plainClock } from '../../src/http/plain-ports.ts';

let printed: string[];
beforeEach(() => {
  printed = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed.push(String(text));
    return true;
  });
});
afterEach(() => {
  trace.disable();
  vi.restoreAllMocks();
});

const lines = () => printed.map((line) => JSON.parse(line) as Record<string, unknown>);
const watch = () =>
  telemetry({ stage: 'test', logger: new Logger({ serviceName: 'holdfast-worker', logLevel: 'INFO' }), clock: plainClock });
const context = {} as Context;
const ended: EngineEvent = { type: 'run.ended', run: 'run_1', workflow: 'w', status: 'succeeded', ms: 5 };

/** Blocks the event loop, as code does that computes. */
function busy(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** Real time: what is measured is the real event loop. */
const turns = (ms: number) => new Promise((done) => setTimeout(done, ms));

describe('the worker’s telemetry', () => {
  it('logs an event as it happens, and prints its metrics when the invocation ends', async () => {
    const { observe, middleware } = await watch();
    const handler = middy()
      .use(middleware)
      .handler(async () => {
        observe(ended);
        return printed.length;
      });
    expect(await handler({}, context)).toBe(1);
    expect(lines()[0]).toMatchObject({ level: 'INFO', message: 'run.ended', run: 'run_1', status: 'succeeded' });
    expect(lines().slice(1)).toContainEqual(expect.objectContaining({ Stage: 'test', Workflow: 'w', Status: 'succeeded', RunsEnded: 1 }));
  });

  it('prints the metrics of an invocation that fails, too', async () => {
    const { observe, middleware } = await watch();
    const handler = middy()
      .use(middleware)
      .handler(async () => {
        observe(ended);
        throw new Error('the handler failed');
      });
    await expect(handler({}, context)).rejects.toThrow('the handler failed');
    expect(lines()).toContainEqual(expect.objectContaining({ RunsEnded: 1 }));
  });

  it('tells how late the event loop was in this invocation, and nothing of the ones before or of the time between', async () => {
    const { middleware } = await watch();
    let block = 400;
    const handler = middy()
      .use(middleware)
      .handler(async () => {
        await turns(40);
        busy(block);
        await turns(40);
      });
    await handler({}, context);
    block = 0;
    busy(400);
    await turns(20);
    await handler({}, context);
    const delays = lines().map(({ EventLoopDelay }) => EventLoopDelay as number);
    expect(delays).toHaveLength(2);
    expect(delays[0]).toBeGreaterThan(300);
    expect(delays[1]).toBeLessThan(300);
  });

  it('makes spans only where a tracer provider is registered', async () => {
    expect((await watch()).tracer).toBeUndefined();
    const exporter = new InMemorySpanExporter();
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
    const { observe, tracer } = await watch();
    expect(tracer).toBeTypeOf('function');
    observe({ type: 'run.started', run: 'run_1', workflow: 'w' });
    observe(ended);
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(['run w']);
  });
});

describe('the log', () => {
  it('has a line for an attempt that did not come out well, and none for one that did', async () => {
    const { observe } = await watch();
    const attempt = (outcome: string, kind = 'call'): EngineEvent => ({
      type: 'call.attempt',
      ...{
        run: 'run_1',
        workflow: 'w',
        call: 'c',
        operation: 'GET crm /a',
        kind,
        effect: 'safe',
        attempt: 1,
        outcome,
        startedAt: 0,
        record: null,
      },
    });
    for (const event of [attempt('done'), attempt('again'), attempt('unknown'), attempt('again', 'sleep')]) observe(event);
    expect(lines().map(({ message, outcome }) => [message, outcome])).toEqual([
      ['call.attempt', 'again'],
      ['call.attempt', 'unknown'],
    ]);
  });
});

describe('what a workflow logs', () => {
  it('is a line of its level and its words, with the run that said it', async () => {
    const { observe } = await watch();
    observe({ type: 'log', run: 'run_1', workflow: 'w', level: 'info', message: 'nobody is there', data: { looked: 3 } });
    expect(lines()).toEqual([
      expect.objectContaining({ level: 'INFO', message: 'nobody is there', type: 'log', run: 'run_1', workflow: 'w', data: { looked: 3 } }),
    ]);
  });
});

describe('several observers', () => {
  it('do not keep an event from each other, and what one throws is told once', () => {
    const seen: string[] = [];
    const faults: unknown[] = [];
    const observe = together(
      [
        () => {
          throw new Error('the log is full');
        },
        (event) => void seen.push(event.type),
      ],
      (error) => void faults.push(error),
    );
    observe(ended);
    observe(ended);
    expect(seen).toEqual(['run.ended', 'run.ended']);
    expect(faults).toEqual([new Error('the log is full')]);
  });
});
