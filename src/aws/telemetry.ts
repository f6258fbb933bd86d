/**
 * All that watches a worker, as one observer and one middleware: log, metrics, spans. What is printed and sent at the end of an
 * invocation is so before the process may be frozen. Nothing that fails here harms a run, an invocation, or the others.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Logger } from '@aws-lambda-powertools/logger';
import type { MiddlewareObj } from '@middy/core';
import type { Clock, Observer } from '../engine/ports.ts';
import type { CallTracer } from '../http/trace.ts';
import { emf } from './emf.ts';
import { logged } from './logged-error.ts';
import { logObserver } from './run-log.ts';
import { metricsObserver } from './run-metrics.ts';
import type { RunSpans } from './run-spans.ts';

export type Telemetry = {
  readonly observe: Observer;
  /** For httpRuntime; `undefined` when nobody records spans. */
  readonly tracer: CallTracer | undefined;
  readonly middleware: MiddlewareObj;
};

export async function telemetry({ stage, logger, clock }: { stage: string; logger: Logger; clock: Clock }): Promise<Telemetry> {
  const metrics = emf(stage);
  const spans = await registeredSpans();
  const loop = eventLoop();
  const fault = (error: unknown) => logger.error('an observer failed', { error: logged(error) });

  async function leave(): Promise<void> {
    try {
      const delay = loop.leave();
      if (delay !== undefined) metrics.value('EventLoopDelay', 'Milliseconds', delay);
      metrics.flush();
    } catch (error) {
      fault(error);
    }
    await spans?.flush(clock);
  }

  return {
    observe: together([logObserver(logger), metricsObserver(metrics), ...(spans ? [spans.observe] : [])], fault),
    tracer: spans?.tracer,
    middleware: { before: () => loop.enter(), after: leave, onError: leave },
  };
}

/** Where all copies of @opentelemetry/api 1.x in a process keep what is registered. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

/** Without a tracer provider, a cold start is not to read what makes spans, which is as large as the log. */
async function registeredSpans(): Promise<RunSpans | undefined> {
  const global = globalThis as { [REGISTERED]?: { trace?: unknown } };
  if (global[REGISTERED]?.trace === undefined) return undefined;
  const { runSpans } = await import('./run-spans.ts');
  return runSpans();
}

/** One observer of several. `fault` is told of what each throws first: what fails once mostly fails each time. */
export function together(observers: readonly Observer[], fault: (error: unknown) => void): Observer {
  const failed = new Set<Observer>();
  return (event) => {
    for (const observer of observers) {
      try {
        observer(event);
      } catch (error) {
        if (failed.has(observer)) continue;
        failed.add(observer);
        fault(error);
      }
    }
  };
}

const RESOLUTION_MS = 10;

/** How late timers came in an invocation: what runs waited for the processor that others of their batch had. */
function eventLoop(): { enter(): void; leave(): number | undefined } {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  return {
    enter() {
      delays.reset();
      delays.enable();
    },
    /** The 99th percentile in milliseconds; `undefined` when it was too short to tell. */
    leave() {
      // Not only at the next beginning: the time in which the process is frozen would be taken for a delay.
      delays.disable();
      if (delays.count === 0) return undefined;
      return Math.max(0, Math.round(delays.percentile(99) / 1e6 - RESOLUTION_MS));
    },
  };
}
