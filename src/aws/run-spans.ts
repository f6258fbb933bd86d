/**
 * Spans of runs and their attempts by @opentelemetry/api alone: one for each delivery of a run, and one for each attempt below it.
 * Without a registered tracer provider the API's own no-op answers, and hardly anything is done here.
 */
import {
  type Attributes,
  type Context,
  context,
  isSpanContextValid,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import type { ErrorData } from '../engine/errors.ts';
import type { Json } from '../engine/json.ts';
import type { Verdict } from '../engine/operation.ts';
import type { Clock, EngineEvent, Observer } from '../engine/ports.ts';
import { redactText } from '../engine/redaction.ts';
import type { AttemptSpan, CallTracer } from '../http/trace.ts';
import { sentCall } from './call-record.ts';

export type RunSpans = {
  readonly observe: Observer;
  /** For httpRuntime: the API is to see its call as a child of the attempt's span. */
  readonly tracer: CallTracer;
  /** Sends what is gathered, before the process may be frozen. Never rejects, and gives up after a second. */
  flush(clock: Clock): Promise<void>;
};

const FLUSH_MS = 1_000;
const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/;

type Delivery = { readonly span: Span; readonly context: Context };
type Begun = Extract<EngineEvent, { type: 'run.started' | 'run.resumed' }>;
type Attempted = Extract<EngineEvent, { type: 'call.attempt' }>;

export function runSpans(): RunSpans {
  // A proxy: whoever registers a provider later is found, too.
  const tracer = trace.getTracer('holdfast');
  /** By run: a batch has each run once. */
  const deliveries = new Map<string, Delivery>();

  function begin({ type, run, workflow, traceparent }: Begun): void {
    end(run, 'again');
    const around = context.active();
    const caller = spanContextOf(traceparent);
    const parent = caller ? trace.setSpanContext(around, caller) : around;
    const invocation = caller && trace.getSpanContext(around);
    const attributes = { 'holdfast.run.id': run, 'holdfast.workflow': workflow, 'holdfast.run.resumed': type === 'run.resumed' };
    const links = invocation ? [{ context: invocation }] : [];
    const span = tracer.startSpan(`run ${workflow}`, { kind: SpanKind.CONSUMER, attributes, links }, parent);
    if (isNew(span, parent)) deliveries.set(run, { span, context: trace.setSpan(parent, span) });
  }

  function end(run: string, outcome: string, more: { attributes?: Attributes; error?: ErrorData } = {}): void {
    const delivery = deliveries.get(run);
    if (!delivery) return;
    deliveries.delete(run);
    delivery.span.setAttributes({ 'holdfast.outcome': outcome, ...more.attributes });
    if (more.error) failed(delivery.span, more.error.code, more.error.message);
    delivery.span.end();
  }

  /** Calls have their spans from `tracer`, since their requests are to name them. */
  function stepped({ run, workflow, kind, call, operation, attempt, outcome, startedAt, record }: Attempted): void {
    const delivery = deliveries.get(run);
    if (!delivery || kind !== 'step') return;
    const attributes = { 'holdfast.run.id': run, 'holdfast.workflow': workflow, 'holdfast.call.id': call, 'holdfast.attempt': attempt };
    const span = tracer.startSpan(operation, { startTime: startedAt, attributes }, delivery.context);
    span.setAttribute('holdfast.outcome', outcome);
    if (outcome !== 'done') failed(span, stepFault(record) ?? outcome, '');
    span.end();
  }

  return {
    observe(event) {
      switch (event.type) {
        case 'run.started':
        case 'run.resumed':
          return begin(event);
        case 'run.parked':
          return end(
            event.run,
            'parked',
            event.wakeAt === undefined ? {} : { attributes: { 'holdfast.wake_at': new Date(event.wakeAt).toISOString() } },
          );
        case 'run.paused':
          return end(event.run, 'paused', { error: event.reason });
        case 'run.ended':
          return end(event.run, event.status, event.error === undefined ? {} : { error: event.error });
        case 'run.lost':
          return end(event.run, 'lost');
        case 'run.stalled':
          return void deliveries.get(event.run)?.span.addEvent('stalled', { 'holdfast.awaiting': event.awaiting });
        case 'call.attempt':
          return stepped(event);
        case 'batch.handled':
          // Whoever is left was handed back to the queue.
          for (const run of [...deliveries.keys()]) end(run, 'kept');
      }
    },

    tracer({ method, connection, url, run, call, attempt, throttles }) {
      const parent = run === undefined ? context.active() : deliveries.get(run.id)?.context;
      if (!parent) return undefined;
      const { hostname, port, protocol } = new URL(url);
      const resends = attempt - 1 + throttles;
      const span = tracer.startSpan(
        // By its connection and not by its path: names are what spans are grouped by.
        `${method} ${connection}`,
        {
          kind: SpanKind.CLIENT,
          attributes: {
            'http.request.method': method,
            'server.address': hostname,
            'server.port': Number(port || (protocol === 'http:' ? 80 : 443)),
            'url.full': url,
            ...(resends > 0 ? { 'http.request.resend_count': resends } : {}),
            'holdfast.connection': connection,
            ...(run === undefined ? {} : { 'holdfast.run.id': run.id, 'holdfast.workflow': run.workflow }),
            ...(call === undefined ? {} : { 'holdfast.call.id': call }),
          },
        },
        parent,
      );
      return isNew(span, parent) ? attemptSpan(span) : undefined;
    },

    async flush(clock) {
      const registered = trace.getTracerProvider() as Flushable & { getDelegate?(): Flushable };
      const provider = registered.getDelegate?.() ?? registered;
      if (typeof provider.forceFlush !== 'function') return;
      let timer: { cancel(): void } | undefined;
      const late = new Promise<void>((done) => {
        timer = clock.timer(FLUSH_MS, done);
      });
      try {
        await Promise.race([provider.forceFlush(), late]);
      } catch {
        // The exporter's fault, and its to tell.
      } finally {
        timer?.cancel();
      }
    },
  };
}

type Flushable = { forceFlush?(): Promise<void> };

function attemptSpan(span: Span): AttemptSpan {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
    end(verdict) {
      span.setAttribute('holdfast.outcome', verdict.type);
      const sent = sentCall(verdict.record);
      if (sent?.status !== undefined) span.setAttribute('http.response.status_code', sent.status);
      const type = faultOf(verdict);
      if (type !== undefined) failed(span, type, 'error' in verdict ? verdict.error.message : '');
      span.end();
    },
  };
}

/** The status where one was answered, else what kept it from coming: few values, as the conventions want of `error.type`. */
function faultOf(verdict: Verdict): string | undefined {
  const sent = sentCall(verdict.record);
  if (verdict.type === 'done' && (sent === undefined || sent.class === 'success')) return undefined;
  if (sent?.status !== undefined) return String(sent.status);
  return sent?.class ?? ('error' in verdict ? verdict.error.code : verdict.type);
}

/** As src/engine/step.ts says it: `failed`, `timeout`, … */
function stepFault(record: Json): string | undefined {
  const said = typeof record === 'object' && record !== null && !Array.isArray(record) ? record.outcome : undefined;
  return typeof said === 'string' ? said : undefined;
}

function failed(span: Span, type: string, message: string): void {
  span.setAttribute('error.type', type);
  span.setStatus(message === '' ? { code: SpanStatusCode.ERROR } : { code: SpanStatusCode.ERROR, message: redactText(message) });
}

/** Where nobody has registered a provider, a span that is begun is its parent, or none at all. */
function isNew(span: Span, parent: Context): boolean {
  const own = span.spanContext();
  return isSpanContextValid(own) && own.spanId !== trace.getSpanContext(parent)?.spanId;
}

function spanContextOf(traceparent: string | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  const found = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
  return isSpanContextValid(found) ? found : undefined;
}
