/** A call as the engine's operation: its identity, and one attempt from request to verdict. What follows from an event is classify.ts. */
import { type ErrorData, HoldfastError } from '../engine/errors.ts';
import type { Json } from '../engine/json.ts';
import type { AttemptEnv, Operation, Verdict } from '../engine/operation.ts';
import { ENGINE_VERSION } from '../engine/version.ts';
import { exponential, nextAttempt } from './backoff.ts';
import { type Call, fingerprint } from './call.ts';
import { classify, type Decision } from './classify.ts';
import { reviveCallError } from './errors.ts';
import type { WireEvent } from './exchange.ts';
import { factsOf } from './facts.ts';
import type { Hints } from './hints.ts';
import { idempotencyKey, type Prepared, prepare } from './prepare.ts';
import { type AttemptRecord, recordOf } from './record.ts';
import { scrub } from './redact.ts';
import { storeReply, storeTold, type ToldReply } from './reply.ts';
import { type HttpRuntime, runtimeOf, withRuntime } from './runtime.ts';
import { TRACEPARENT_HEADER, traced } from './trace.ts';
import { settleUnknown } from './unknown.ts';

/** What one attempt teaches the next in this process; lost with it, without harm. */
type Memory = { fresh: boolean };

/** `engine`: version of the engine's behaviour that its run began with. Default: the present one. */
export function callOperation(call: Call, engine: number = ENGINE_VERSION): Operation {
  const { core, effect, settings } = call;
  const memory: Memory = { fresh: false };
  const scope = call.key === undefined ? '' : ` key:${call.key}`;
  const [path, ...query] = call.path.split('?');
  // Ids are shown in journals, logs and spans: what a query holds is for nobody's eyes.
  const asked = query.length === 0 ? '' : ` ?${fingerprint(query.join('?'))}`;
  const place = `${call.method} ${core.id} ${engine === 1 ? call.path : `${path}${asked}`}${scope}`;
  return {
    kind: 'call',
    identity: call.bodyHash === undefined ? place : `${place} ${call.bodyHash}`,
    ...(effect === 'keyed' ? { keyIdentity: `${call.method} ${core.id} ${path}${scope}` } : {}),
    label: call.label,
    target: core.name,
    effect,
    ...(call.bodyHash === undefined ? {} : { bodyHash: call.bodyHash }),
    ...(effect === 'keyed' && core.idempotencyKey ? { keyTtl: core.idempotencyKey.ttl } : {}),
    timeout: settings.limits.total,
    attempt: (env) => traced(call, env, (traceparent) => attempt(call, memory, env, traceparent)),
    unknown: (env) => unknown(call, env),
    adopt: (given) => storeTold(given as ToldReply, call.as),
    revive: reviveCallError,
  };
}

async function attempt(call: Call, memory: Memory, env: AttemptEnv, traceparent: string | undefined): Promise<Verdict> {
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
    // A slow secret, or a process that was frozen meanwhile: by now another worker may have sent it.
    if (left() <= 0) return unprepared(call, env, new PreparedTooLate());
    const event = await send(call, http, prepared, env, { fresh, left: left(), traceparent });
    // A stale socket is nobody's failure: once, on another, free of charge.
    const stale = event.phase === 'ambiguous' && event.why === 'broken' && !event.answering && event.reused;
    if (stale && call.effect !== 'unsafe' && !resent && left() > 0) {
      resent = true;
      fresh = true;
      continue;
    }
    if (event.phase === 'answered') await scrub(event, prepared.secrets, http);
    const { facts, hints } = factsOf(event, call, { now: env.clock.now(), refreshable });
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

class PreparedTooLate extends Error {
  override readonly name = 'PreparedTooLate';
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
  now: { fresh: boolean; left: number; traceparent: string | undefined },
): Promise<WireEvent> {
  const { core, settings } = call;
  const { limits } = settings;
  return http.transport.send({
    allowed: core.allowed,
    connectTimeout: core.connectTimeout,
    origin: prepared.origin,
    method: call.method,
    path: prepared.path,
    // One that the user gave is his own.
    headers: now.traceparent === undefined ? prepared.headers : { [TRACEPARENT_HEADER]: now.traceparent, ...prepared.headers },
    body: call.body,
    // What preparing, and a first sending, have left: an attempt never outlives its total.
    limits: now.left >= limits.total ? limits : { ...limits, total: now.left },
    fresh: now.fresh,
    signal: env.signal,
  });
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

/** Nothing was sent: a secret or a variable is missing (a person must act), or the source of secrets failed (it is asked again). */
function unprepared(call: Call, env: AttemptEnv, thrown: unknown): Verdict {
  if (thrown instanceof HoldfastError && thrown.code !== 'E_REQUEST_INVALID') {
    const error: ErrorData = { code: thrown.code, name: thrown.name, message: `${call.label}: ${thrown.message}`, detail: thrown.detail };
    return thrown.code === 'E_SECRET_MISSING' || thrown.code === 'E_BAD_OPTION' ? { type: 'pause', error } : { type: 'fail', error };
  }
  const why =
    thrown instanceof HoldfastError ? thrown.message : `it could not be prepared (${thrown instanceof Error ? thrown.name : 'unknown'})`;
  const error: ErrorData = {
    code: thrown instanceof HoldfastError ? thrown.code : 'E_CALL_FAILED',
    name: 'CallError',
    message: `${call.label}: ${why}`,
    detail: { connection: call.core.name, attempts: env.attempt },
  };
  if (thrown instanceof HoldfastError || env.attempt >= call.settings.retry.attempts) return { type: 'fail', error };
  const at = env.clock.now() + Math.ceil(exponential({ ...env, random: env.entropy.random }));
  return { type: 'again', at, counts: 'attempt', error, record: { n: env.attempt, row: 'not prepared', next: at } };
}

function failure(
  call: Call,
  event: WireEvent,
  env: AttemptEnv,
  because: string,
  code: 'E_CALL_FAILED' | 'E_DEADLINE' = 'E_CALL_FAILED',
): ErrorData {
  const refused = event.phase === 'not-sent' && event.why === 'invalid-request';
  return {
    code: refused ? 'E_REQUEST_INVALID' : code,
    name: 'CallError',
    message: `${call.label}: ${whatHappened(event)}${because}`,
    detail: detailOf(call, event, env),
  };
}

function unknownOutcome(call: Call, event: WireEvent, env: AttemptEnv): ErrorData {
  return {
    code: 'E_UNKNOWN_OUTCOME',
    name: 'UnknownOutcomeError',
    message: `${call.label}: ${whatHappened(event)}, so it may have happened; it is not sent again by itself`,
    detail: detailOf(call, event, env),
  };
}

function detailOf(call: Call, event: WireEvent, env: AttemptEnv): NonNullable<ErrorData['detail']> {
  const { name, account } = call.core;
  return {
    connection: name,
    account,
    attempts: env.attempt,
    status: event.phase === 'answered' ? event.status : undefined,
  } satisfies Record<string, Json | undefined>;
}

function whatHappened(event: WireEvent): string {
  if (event.phase !== 'answered') return event.message;
  const { status } = event;
  if (event.truncated && status < 300) return `the body of the answer (${status}) is over the cap`;
  return `answered ${status}${status >= 300 && status < 400 ? ' (redirects are not followed)' : ''}`;
}

async function unknown(call: Call, env: AttemptEnv): Promise<Verdict> {
  const http = runtimeOf(env.services);
  const { settings, core } = call;
  const error: ErrorData = {
    code: 'E_UNKNOWN_OUTCOME',
    name: 'UnknownOutcomeError',
    message: `${call.label}: it was sent and its outcome is not known; settle it, or give the call onUnknown: reconcile(fn)`,
    detail: { connection: core.name, account: core.account, attempts: env.attempt },
  };
  return withRuntime(env.run === undefined ? http : { ...http, serves: env.run }, () =>
    settleUnknown(
      {
        onUnknown: settings.onUnknown,
        error,
        attempts: settings.retry.attempts,
        timeout: settings.limits.total,
        ...(call.as === undefined ? {} : { as: call.as }),
        async sent() {
          const { origin, prefix } = core.base();
          return {
            request: {
              method: call.method,
              url: `${origin}${prefix}${call.path}`,
              ...(call.json === undefined ? {} : { json: call.json }),
              ...(call.json !== undefined || call.body === null ? {} : { body: call.body }),
            },
            ...(call.effect === 'keyed' ? { key: await idempotencyKey(http, env.keyMaterial) } : {}),
            ...(env.firstSentAt === undefined ? {} : { sentAt: env.firstSentAt }),
          };
        },
      },
      env,
    ),
  );
}
