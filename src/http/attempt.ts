/** One attempt of a call, from request to verdict: prepares, sends, classifies, and says what follows. Decides no row: that is classify.ts. */
import type { AttemptEnv, Live, Verdict } from '../engine/operation.ts';
import { hinted, nextAttempt } from './backoff.ts';
import type { Call } from './call.ts';
import { classify, type Decision, isRedirect } from './classify.ts';
import type { WireEvent } from './exchange.ts';
import { factsOf } from './facts.ts';
import { failure, PreparedTooLate, unknownOutcome, unprepared } from './failures.ts';
import type { Hints } from './hints.ts';
import { type Prepared, prepare } from './prepare.ts';
import { type AttemptRecord, recordOf } from './record.ts';
import { scrub } from './redact.ts';
import { storeReply } from './reply.ts';
import { type HttpRuntime, runtimeOf } from './runtime.ts';
import type { OpenSink } from './sink.ts';
import { TRACEPARENT_HEADER } from './trace.ts';
import type { WireRequest } from './transport.ts';

/** Found in every path. */
const ANY_PATH: readonly string[] = ['/'];

/** What one attempt teaches the next in this process; lost with it, without harm. */
export type Memory = { fresh: boolean };

export async function attempt(call: Call, memory: Memory, env: AttemptEnv, traceparent: string | undefined): Promise<Verdict | Live> {
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
    const how = { fresh, left: left(), traceparent };
    const sent = call.live ? await sendLive(call, http, prepared, env, how, conclusion) : await send(call, http, prepared, env, how);
    if ('type' in sent) return sent;
    const event = sent;
    // The credential is for the API: another origin was not sent it, and has nothing to say of it.
    if (event.phase === 'answered' && event.stranger) refreshable = false;
    // A stale socket is nobody's failure: once, on another, free of charge.
    const stale = event.phase === 'ambiguous' && event.why === 'broken' && !event.answering && event.reused;
    if (stale && call.effect !== 'unsafe' && !resent && left() > 0) {
      resent = true;
      fresh = true;
      continue;
    }
    await scrub(event, prepared.secrets, http);
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

  /** Of an event after which nothing is sent again within this attempt. */
  async function conclusion(event: WireEvent): Promise<Verdict> {
    if (event.phase === 'answered') await scrub(event, prepared.secrets, http);
    const { facts, hints } = factsOf(event, call, { now: env.clock.now(), refreshable: false });
    return conclude(call, classify(event, call.effect, facts), event, hints, env, memory, resent);
  }
}

/** Like `send`, unless a reply begins that user code is given while it comes: then its beginning, and the event concludes it. */
async function sendLive(
  call: Call,
  http: HttpRuntime,
  prepared: Prepared,
  env: AttemptEnv,
  how: Sending,
  conclusion: (event: WireEvent) => Promise<Verdict>,
): Promise<WireEvent | Live> {
  const { coming } = await import('./live.ts');
  const given = new AbortController();
  const live = coming({ call, http, secrets: prepared.secrets, stop: () => given.abort() });
  const sent = send(call, http, prepared, env, { ...how, sink: live.sink, signal: AbortSignal.any([env.signal, given.signal]) });
  const first = await Promise.race([sent, live.begun]);
  if ('phase' in first) return first;
  void sent.then(async (event) => live.over(event, await conclusion(event)));
  return { type: 'live', reply: first };
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

type Sending = { fresh: boolean; left: number; traceparent: string | undefined; sink?: OpenSink; signal?: AbortSignal };

async function send(call: Call, http: HttpRuntime, prepared: Prepared, env: AttemptEnv, now: Sending): Promise<WireEvent> {
  const { core, settings } = call;
  const { limits } = settings;
  const request: WireRequest = {
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
    signal: now.signal ?? env.signal,
    ...(now.sink === undefined ? {} : { sink: now.sink }),
  };
  const event = await http.transport.send(request);
  if (event.phase !== 'answered' || !followed(call, event.status)) return event;
  const { follow } = await import('./redirects.ts');
  return follow(event, request, {
    transport: http.transport,
    clock: env.clock,
    secrets: call.settings.hidePath ? ANY_PATH : prepared.secrets,
    accepted: call.accepted,
  });
}

const followed = ({ method, effect, redirects, accepted }: Call, status: number): boolean =>
  // To follow is to send again: never what may have had an effect.
  redirects === 'follow' && (method === 'GET' || method === 'HEAD') && effect !== 'unsafe' && isRedirect(status) && !accepted.has(status);

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
      return {
        type: 'unknown',
        error: unknownOutcome(call, event, env, hints.hint && env.clock.now() + Math.ceil(hinted(hints.hint, env.entropy))),
        record,
      };
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
  const redirected = event.phase === 'answered' && isRedirect(event.status) && (call.redirects === 'error' || event.stopped !== undefined);
  if (call.everyStatus && value !== undefined && !redirected) return { type: 'done', value, record };
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
