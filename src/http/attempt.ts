/** One attempt of a call, from request to verdict: prepares, sends, classifies, and says what follows. Decides no row: that is classify.ts. */
import type { AttemptEnv, Verdict } from '../engine/operation.ts';
import { nextAttempt } from './backoff.ts';
import { isSource, type Source } from './body.ts';
import type { Call } from './call.ts';
import { classify, type Decision } from './classify.ts';
import type { WireEvent } from './exchange.ts';
import { factsOf } from './facts.ts';
import { failure, PreparedTooLate, unknownOutcome, unprepared } from './failures.ts';
import type { Hints } from './hints.ts';
import { keepBody } from './keep.ts';
import { type Prepared, prepare } from './prepare.ts';
import { type AttemptRecord, recordOf } from './record.ts';
import { scrub } from './redact.ts';
import { type Fetched, type StoredReply, storeReply } from './reply.ts';
import { type HttpRuntime, runtimeOf } from './runtime.ts';
import { TRACEPARENT_HEADER } from './trace.ts';
import type { Spooled, Upload } from './upload.ts';

/** What one attempt teaches the next in this process; lost with it, without harm. */
export type Memory = { fresh: boolean; readonly spooled: Spooled };

export async function attempt(call: Call, memory: Memory, env: AttemptEnv, traceparent: string | undefined): Promise<Verdict> {
  const http = runtimeOf(env.services);
  const began = env.clock.now();
  /** Preparing and sending together stay within the total: no more was reserved of the invocation and of its lease. */
  const left = () => call.settings.limits.total - (env.clock.now() - began);
  let prepared: Prepared;
  try {
    prepared = await inTime(prepare(call, http, env), left(), env);
  } catch (error) {
    return unprepared(call, env, error);
  }
  let fresh = call.effect === 'unsafe' || memory.fresh;
  let refreshable = call.core.auth !== undefined;
  let resent = false;
  for (;;) {
    let upload: Upload | undefined;
    try {
      if (isSource(call.body)) upload = await inTime(open(call, http, env, memory), left(), env);
    } catch (error) {
      return unprepared(call, env, error);
    }
    // A slow secret, or a process that was frozen meanwhile: by now another worker may have sent it.
    if (left() <= 0) {
      upload?.drop();
      return unprepared(call, env, new PreparedTooLate());
    }
    let event: WireEvent = await send(call, http, prepared, env, { fresh, left: left(), traceparent, upload });
    if (event.phase !== 'answered') upload?.drop();
    // A stale socket is nobody's failure: once, on another, free of charge.
    const stale = event.phase === 'ambiguous' && event.why === 'broken' && !event.answering && event.reused;
    if (stale && call.effect !== 'unsafe' && !resent && left() > 0) {
      resent = true;
      fresh = true;
      continue;
    }
    if (event.phase === 'answered') await scrub(event, prepared.secrets, http);
    const fetched = await bodyToJudge(call, event, env);
    if (fetched === 'gone')
      event = { ...event, phase: 'ambiguous', why: 'broken', message: 'the stored body could not be read', answering: true };
    const { facts, hints } = factsOf(event, call, { now: env.clock.now(), refreshable, ...(fetched === 'gone' ? {} : { fetched }) });
    const decision = classify(event, call.effect, facts);
    if (decision.act === 'refresh') {
      refreshable = false;
      const renewed = await inTime(prepare(call, http, env, true), left(), env).catch(() => undefined);
      if (renewed && renewed.credential !== prepared.credential) {
        prepared = renewed;
        continue;
      }
      return conclude(call, classify(event, call.effect, { ...facts, refreshable }), event, hints, env, memory, resent);
    }
    return conclude(call, decision, event, hints, env, memory, resent);
  }
}

/** A body that is not in memory, ready to be sent. */
async function open(call: Call, http: HttpRuntime, env: AttemptEnv, memory: Memory): Promise<Upload> {
  const { openUpload } = await import('./upload.ts');
  return openUpload(call.body as Source, http, env, memory.spooled);
}

/** A body that went elsewhere, or a handle on it, where the connection has something to say about replies. */
async function bodyToJudge(call: Call, event: WireEvent, env: AttemptEnv): Promise<Fetched | 'gone'> {
  const { successWhen, inFlightWhen } = call.core.judge;
  if (event.phase !== 'answered' || (successWhen === undefined && inFlightWhen === undefined)) return {};
  if (event.stored === undefined && call.as !== 'file') return {};
  const { lookAt } = await import('./fetched.ts');
  return lookAt(JSON.parse(storeReply(event)) as StoredReply, call, env).catch(() => 'gone');
}

/** What takes longer is given up: it must not be sent afterwards. */
async function inTime<T>(work: Promise<T>, ms: number, env: AttemptEnv): Promise<T> {
  let timer: { cancel(): void } | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = env.clock.timer(ms, () => reject(new PreparedTooLate()));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    timer?.cancel();
  }
}

function send(
  call: Call,
  http: HttpRuntime,
  prepared: Prepared,
  env: AttemptEnv,
  now: { fresh: boolean; left: number; traceparent: string | undefined; upload: Upload | undefined },
): Promise<WireEvent> {
  const { core, settings } = call;
  const { limits } = settings;
  return http.transport.send({
    allowed: core.allowed,
    connectTimeout: core.connectTimeout,
    origin: prepared.origin,
    method: call.method,
    path: prepared.path,
    headers: headersOf(prepared, now),
    body: now.upload?.body ?? (isSource(call.body) ? null : call.body),
    // What preparing, and a first sending, have left: an attempt never outlives its total.
    limits: now.left >= limits.total ? limits : { ...limits, total: now.left },
    sink: keepBody(env, http, prepared.secrets),
    fresh: now.fresh,
    signal: env.signal,
  });
}

function headersOf(
  { headers }: Prepared,
  { traceparent, upload }: { traceparent: string | undefined; upload: Upload | undefined },
): Prepared['headers'] {
  if (traceparent === undefined && upload === undefined) return headers;
  // A traceparent that the user gave is his own.
  return { ...(traceparent === undefined ? {} : { [TRACEPARENT_HEADER]: traceparent }), ...headers, ...upload?.headers };
}

function conclude(
  call: Call,
  decision: Decision,
  event: WireEvent,
  hints: Hints,
  env: AttemptEnv,
  memory: Memory,
  resent: boolean,
): Verdict {
  const record = recordOf(decision, event, hints, env.attempt, resent);
  const value = event.phase === 'answered' && decision.act !== 'unknown' ? storeReply(event) : undefined;
  memory.fresh = decision.fresh === true;
  switch (decision.act) {
    case 'done':
      return { type: 'done', value, record };
    case 'unknown':
      return { type: 'unknown', error: unknownOutcome(call, event, env), record };
    case 'retry':
    case 'wait':
    case 'later': {
      const next = nextAttempt(decision, hints.hint, {
        policy: call.settings.retry,
        attempt: env.attempt,
        throttles: env.throttles,
        issuedAt: env.issuedAt,
        now: env.clock.now(),
        quickRetries: env.quickRetries,
        remaining: env.remaining,
        window: Math.max(0, ...call.core.rateLimits.map(({ per }) => per)),
        random: env.entropy.random,
      });
      if ('over' in next) return final(call, decision, event, env, value, { ...record, over: next.over }, next);
      return {
        type: 'again',
        at: next.at,
        counts: next.counts,
        error: failure(call, event, env, ''),
        record: { ...record, next: next.at },
      };
    }
    default:
      return final(call, decision, event, env, value, record);
  }
}

function final(
  call: Call,
  decision: Decision,
  event: WireEvent,
  env: AttemptEnv,
  value: string | undefined,
  record: AttemptRecord,
  next?: { over: 'attempts' | 'throttles' | 'deadline'; at?: number },
): Verdict {
  if (call.everyStatus && value !== undefined) return { type: 'done', value, record };
  const { retry } = call.settings;
  const because =
    next === undefined
      ? ''
      : next.over === 'deadline'
        ? `; the next attempt could not be made before the deadline of ${retry.deadline} ms (retry.deadline)`
        : next.over === 'throttles'
          ? `; it was throttled ${env.throttles + 1} times (retry.throttles)`
          : ` after ${env.attempt} attempt${env.attempt === 1 ? '' : 's'}`;
  const error = failure(call, event, env, because, next?.over === 'deadline' ? 'E_DEADLINE' : 'E_CALL_FAILED');
  if (decision.class === 'ambiguous' && call.effect !== 'safe') error.detail = { ...error.detail, mayHaveHappened: true };
  return { type: 'fail', error, ...(value === undefined ? {} : { value }), record };
}
