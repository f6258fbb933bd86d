/** One attempt of a call, from request to verdict: prepares, sends and classifies. Decides no row: that is classify.ts. What follows from failing is failing.ts. */
import type { Permit } from '../engine/admission-ports.ts';
import type { AttemptEnv, Live, Verdict } from '../engine/operation.ts';
import { confirmed, GOOD, leave, report, tell } from './admit.ts';
import { isSource, type Source } from './bodies/body.ts';
import { keepBody } from './bodies/keep.ts';
import type { OpenSink } from './bodies/sink.ts';
import type { Spooled, Upload } from './bodies/upload.ts';
import type { Call } from './call.ts';
import { classify, type Decision, isRedirect } from './classify.ts';
import type { Answer, WireEvent } from './exchange.ts';
import { factsOf } from './facts.ts';
import type { Hints } from './hints.ts';
import { type Prepared, prepare, tooLate } from './prepare.ts';
import { recordOf } from './record.ts';
import { type Fetched, type StoredReply, storedOf, storeReply } from './reply.ts';
import { type HttpRuntime, runtimeOf } from './runtime.ts';
import { scrub } from './secrecy/redact.ts';
import { TRACEPARENT_HEADER } from './trace.ts';
import type { WireRequest } from './transport.ts';

/** What one attempt teaches the next in this process; lost with it, without harm. */
export type Memory = {
  fresh: boolean;
  /** An attempt may have done it: of this process; `undefined` before its first. */
  maybeDone?: boolean;
  readonly spooled: Spooled;
  /** What it came to, in the journal's form and before that was made of it: until it is delivered. */
  given?: { readonly text: string; readonly stored: StoredReply } | undefined;
  /** For the attempt that comes next, or is being made; nothing was reported yet. */
  permit?: Permit | undefined;
};

export function attempt(call: Call, memory: Memory, env: AttemptEnv, traceparent: string | undefined): Promise<Verdict | Live> {
  const made = makeAttempt(call, memory, env, traceparent);
  if (memory.permit === undefined) return made;
  // A judge of the user's that throws is his mistake, and must not keep a place for ever.
  return made.catch((thrown: unknown) => {
    leave(memory, true);
    throw thrown;
  });
}

async function makeAttempt(call: Call, memory: Memory, env: AttemptEnv, traceparent: string | undefined): Promise<Verdict | Live> {
  const http = runtimeOf(env.services);
  const began = env.clock.now();
  /** Preparing and sending together stay within the total: no more was reserved of the invocation and of its lease. */
  const left = () => call.settings.limits.total - (env.clock.now() - began);
  // Of attempts that another worker made all that is known is that there were some.
  memory.maybeDone ??= env.interrupted === true || env.attempt > 1;
  let sent = false;
  let prepared: Prepared;
  try {
    if (call.load) await call.load();
    prepared = await inTime(prepare(call, http, env), left(), env);
  } catch (error) {
    return unprepared(error);
  }
  let fresh = call.effect === 'unsafe' || memory.fresh;
  let refreshable = call.core.auth !== undefined;
  let resent = false;
  for (;;) {
    let upload: Upload | undefined;
    try {
      if (isSource(call.body)) upload = await inTime(open(call, http, env, memory), left(), env);
      const confirming = sent ? undefined : confirmed(call, memory, env);
      const heldUp = confirming && (await inTime(confirming, left(), env));
      if (heldUp !== undefined) {
        upload?.drop();
        return heldUp;
      }
    } catch (error) {
      upload?.drop();
      return unprepared(error);
    }
    // A slow secret, or a process that was frozen meanwhile: by now another worker may have sent it.
    if (left() <= 0) {
      upload?.drop();
      return unprepared(tooLate());
    }
    sent = true;
    let event = await sending({ fresh, left: left(), traceparent, upload });
    if ('type' in event) return event;
    if (event.phase !== 'answered') upload?.drop();
    // The credential is for the API: another origin was not sent it, and has nothing to say of it.
    if (event.phase === 'answered' && event.stranger) refreshable = false;
    // A stale socket is nobody's failure: once, on another, free of charge.
    const stale = event.phase === 'ambiguous' && event.why === 'broken' && !event.answering && event.reused;
    if (stale && call.effect !== 'unsafe' && !resent && left() > 0) {
      resent = true;
      memory.maybeDone = true;
      fresh = true;
      continue;
    }
    const judged = await ready(event);
    event = judged.event;
    const { facts, hints } = factsOf(event, call, { ...judged, now: env.clock.now(), refreshable, maybeDone: memory.maybeDone });
    const decision = classify(event, call.effect, facts);
    if (decision.act === 'refresh') {
      refreshable = false;
      let renewed: Prepared;
      try {
        renewed = await inTime(prepare(call, http, env, prepared.credential), left(), env);
      } catch (error) {
        // A person must act, or a token could not be got just now. Nothing was done: a 401 says so.
        if ((await failing()).isAboutCredentials(error)) {
          report(memory, GOOD);
          return { ...(await unprepared(error)), record: recordOf(decision, event, hints, env.attempt, resent) };
        }
        return conclude(call, classify(event, call.effect, { ...facts, refreshable }), event, hints, env, memory, resent);
      }
      if (renewed.credential?.version !== prepared.credential?.version) {
        prepared = renewed;
        refreshable = renewed.credential?.isOld === true;
        continue;
      }
      return conclude(call, classify(event, call.effect, { ...facts, refreshable }), event, hints, env, memory, resent);
    }
    return conclude(call, decision, event, hints, env, memory, resent);
  }

  async function unprepared(error: unknown): Promise<Verdict> {
    leave(memory, sent);
    return (await failing()).unprepared(call, env, error);
  }

  /** To be judged: without secrets, and with what the connection's own judges look at. */
  async function ready(event: WireEvent): Promise<{ event: WireEvent; fetched?: Fetched }> {
    const scrubbing = scrub(event, prepared.secrets, http);
    if (scrubbing !== undefined) await scrubbing;
    if (event.phase === 'answered' && call.core.accountUrl) leadBack(event.headers, prepared.base, call.core.base().origin);
    const fetched = mustFetch(call, event) ? await bodyToJudge(call, event, env) : NOTHING;
    if (fetched !== 'gone') return { event, fetched };
    return { event: { ...event, phase: 'ambiguous', why: 'broken', message: 'the stored body could not be read', answering: true } };
  }

  /** A reply of `fetch` may be given to user code while it comes: then its event is still to be. */
  function sending(how: Sending): Promise<WireEvent | Live> {
    return call.live ? sendingLive(how) : send(call, http, prepared, env, how);
  }

  async function sendingLive(how: Sending): Promise<WireEvent | Live> {
    const { sendLive } = await import('./live.ts');
    const { secrets } = prepared;
    return sendLive({
      call,
      http,
      secrets,
      env,
      conclusion,
      keep: keepBody(call, env, http, secrets),
      send: (more) => send(call, http, prepared, env, { ...how, ...more }),
    });
  }

  /** Of an event after which nothing is sent again within this attempt. */
  async function conclusion(event: WireEvent, brokenOff: boolean): Promise<Verdict> {
    try {
      const judged = await ready(event);
      const now = env.clock.now();
      const { facts, hints } = factsOf(judged.event, call, { ...judged, now, refreshable: false, maybeDone: memory.maybeDone });
      return conclude(call, classify(judged.event, call.effect, facts), judged.event, hints, env, memory, resent, brokenOff);
    } catch (thrown) {
      leave(memory, sent);
      throw thrown;
    }
  }
}

/** A body that is not in memory, ready to be sent. */
async function open(call: Call, http: HttpRuntime, env: AttemptEnv, memory: Memory): Promise<Upload> {
  const { openUpload } = await import('./bodies/upload.ts');
  return openUpload(call.body as Source, http, env, memory.spooled);
}

const NOTHING: Fetched = {};

/** A body that went elsewhere, or a handle on it, where somebody has something to say about replies. */
function mustFetch(call: Call, event: WireEvent): event is WireEvent & Answer {
  if (event.phase !== 'answered' || (event.stored === undefined && call.as !== 'file')) return false;
  const { successWhen, inFlightWhen, shouldRetry, hint } = call.judge;
  return (successWhen ?? inFlightWhen ?? shouldRetry ?? hint) !== undefined;
}

async function bodyToJudge(call: Call, event: Answer, env: AttemptEnv): Promise<Fetched | 'gone'> {
  const { lookAt } = await import('./bodies/fetched.ts');
  return lookAt(JSON.parse(storeReply(event)) as StoredReply, call, env).catch(() => 'gone');
}

/** Classes of decisions after which nobody knows. */
const MAY_HAVE_HAPPENED: ReadonlySet<Decision['class']> = new Set(['ambiguous', 'transient']);

/** Where a base URL is an account's own, code knows it by another name: what links lead to must be a call of the same connection. */
function leadBack(headers: Record<string, string>, base: string, known: string): void {
  if (headers.link) headers.link = headers.link.replaceAll(`<${base}/`, `<${known}/`);
  for (const name of ['location', 'operation-location']) {
    const to = headers[name];
    if (to?.startsWith(`${base}/`)) headers[name] = known + to.slice(base.length);
  }
}

/** What takes longer is given up: it must not be sent afterwards. */
function inTime<T>(work: Promise<T>, ms: number, env: AttemptEnv): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = env.clock.timer(ms, () => reject(tooLate()));
    work.then(
      (done) => {
        timer.cancel();
        resolve(done);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}

type Sending = {
  readonly fresh: boolean;
  readonly left: number;
  readonly traceparent: string | undefined;
  readonly upload: Upload | undefined;
  readonly sink?: OpenSink;
  readonly signal?: AbortSignal;
};

async function send(call: Call, http: HttpRuntime, prepared: Prepared, env: AttemptEnv, now: Sending): Promise<WireEvent> {
  const { core, settings } = call;
  const { limits } = settings;
  const request: WireRequest = {
    allowed: core.allowed,
    connectTimeout: core.connectTimeout,
    origin: prepared.origin,
    method: call.method,
    path: prepared.path,
    headers: headersOf(prepared, now),
    body: now.upload?.body ?? prepared.body ?? (isSource(call.body) ? null : call.body),
    // What preparing, and a first sending, have left: an attempt never outlives its total.
    limits: now.left >= limits.total ? limits : { ...limits, total: now.left },
    fresh: now.fresh,
    signal: now.signal ?? env.signal,
    sink: now.sink ?? keepBody(call, env, http, prepared.secrets),
  };
  const event = await http.transport.send(request);
  if (event.phase !== 'answered' || !followed(call, event.status)) return event;
  const { follow } = await import('./redirects.ts');
  return follow(event, request, {
    transport: http.transport,
    clock: env.clock,
    secrets: prepared.secrets,
    hidePath: call.settings.hidePath === true,
    accepted: call.accepted,
    telling: call.everyStatus,
  });
}

const followed = ({ method, effect, redirects, accepted }: Call, status: number): boolean =>
  // To follow is to send again: never what may have had an effect.
  redirects === 'follow' && (method === 'GET' || method === 'HEAD') && effect !== 'unsafe' && isRedirect(status) && !accepted.has(status);

function headersOf({ headers }: Prepared, { traceparent, upload }: Sending): Prepared['headers'] {
  if (traceparent === undefined && upload === undefined) return headers;
  // A traceparent that the user gave is his own.
  return { ...(traceparent === undefined ? {} : { [TRACEPARENT_HEADER]: traceparent }), ...headers, ...upload?.headers };
}

/** Most calls succeed: what becomes of the others is loaded with the first of them. */
const failing = () => import('./failing.ts');

function conclude(
  call: Call,
  decision: Decision,
  event: WireEvent,
  hints: Hints,
  env: AttemptEnv,
  memory: Memory,
  resent: boolean,
  brokenOff = false,
): Verdict | Promise<Verdict> {
  const probe = memory.permit?.isProbe ? { place: memory.permit.place } : undefined;
  if (memory.permit !== undefined)
    tell(memory, { call, decision, event, hints, now: env.clock.now(), brokenOff: brokenOff || env.signal.aborted });
  const record = recordOf(decision, event, hints, env.attempt, resent);
  const stored = event.phase === 'answered' && decision.act !== 'unknown' ? storedOf(event) : undefined;
  const value = stored && JSON.stringify(stored);
  memory.fresh = decision.fresh === true;
  if (MAY_HAVE_HAPPENED.has(decision.class)) memory.maybeDone = true;
  if (decision.act === 'done') {
    if (stored) memory.given = { text: value as string, stored };
    return { type: 'done', value, record };
  }
  return failing().then(({ afterFailure }) => afterFailure({ call, decision, event, hints, env, value, record, probe }));
}
