/**
 * A call before the fleet's admission: what is asked of it, what its answers mean for the call, and what it is told of how that went.
 * Each permit is reported or given back exactly once. Knows nothing of how admission decides.
 */
import type { Answer, Ask, Outcome, Permit } from '../engine/admission-ports.ts';
import type { Admitted, AttemptEnv, Verdict } from '../engine/operation.ts';
import type { Memory } from './attempt.ts';
import type { Call } from './call.ts';
import type { Decision } from './classify.ts';
import type { WireEvent } from './exchange.ts';
import { exhaustedFor, type Hints } from './hints.ts';
import { type HttpRuntime, runtimeOf } from './runtime.ts';

/** Longer than this nobody waits in process for what may come sooner. */
const PATIENCE_MS = 2_000;
const UNHINTED_MS = 2_000;
const HOUR_MS = 3_600_000;

const GO: Admitted = Object.freeze({ type: 'go', drop() {} });

export function admit(call: Call, memory: Memory, env: AttemptEnv): Admitted | Promise<Admitted> {
  const http = runtimeOf(env.services);
  const { admission } = http;
  if (admission === undefined) return GO;
  const answer = admission.ask(askOf(call, env, http));
  return answer instanceof Promise ? answer.then((late) => admitted(late, call, memory, env)) : admitted(answer, call, memory, env);
}

function askOf({ core, settings, effect }: Call, env: AttemptEnv, http: HttpRuntime): Ask {
  const { total } = settings.limits;
  return {
    key: core.admissionKey,
    limits: core.rateLimits,
    concurrency: core.concurrency,
    onError: core.onAdmissionError,
    tenant: (env.run ?? http.serves)?.tenant ?? 'default',
    effect,
    weight: settings.weight,
    retry: env.attempt > 1,
    timeout: total,
    patience: Math.max(0, Math.min(PATIENCE_MS, env.remaining - total)),
    until: env.issuedAt + settings.retry.deadline,
    place: env.place,
    signal: env.signal,
  };
}

function admitted(answer: Answer, call: Call, memory: Memory, env: AttemptEnv): Admitted | Promise<Admitted> {
  switch (answer.type) {
    case 'go':
      memory.permit = answer.permit;
      return { type: 'go', drop: () => giveBack(memory) };
    case 'later':
      return isTooLate(answer.at, call, env) ? refused(answer, call, memory, env) : answer;
    case 'never':
      return refused(answer, call, memory, env);
  }
}

async function refused(answer: Exclude<Answer, { type: 'go' }>, call: Call, memory: Memory, env: AttemptEnv): Promise<Admitted> {
  const { noPlace } = await import('./held-up.ts');
  return { type: 'fail', error: noPlace(call, memory, env, answer) };
}

/** Right before the first sending: `undefined` where nothing is to be waited for, or when it may be sent. */
export function confirmed(call: Call, memory: Memory, env: AttemptEnv): Promise<Verdict | undefined> | undefined {
  const { permit } = memory;
  return permit?.confirm()?.then(async (later) => {
    if (later === undefined) return undefined;
    // Who has waited no longer for this may have another by now.
    if (memory.permit === permit) memory.permit = undefined;
    const { putOff } = await import('./held-up.ts');
    return putOff(later, isTooLate(later.at, call, env), call, memory, env);
  });
}

/** Nothing was sent. */
function giveBack(memory: Memory): void {
  taken(memory)?.drop();
}

export function report(memory: Memory, outcome: Outcome): void {
  taken(memory)?.report(outcome);
}

/** How the attempt went. */
export function tell(memory: Memory, concluded: Concluded): void {
  const outcome = outcomeOf(concluded);
  if (outcome === undefined) giveBack(memory);
  else report(memory, outcome);
}

/** What the attempt came to, if it is not known more exactly: `sent`, or given back. */
export function leave(memory: Memory, sent: boolean): void {
  if (sent) report(memory, NEUTRAL);
  else giveBack(memory);
}

function taken(memory: Memory): Permit | undefined {
  const { permit } = memory;
  memory.permit = undefined;
  return permit;
}

export const GOOD: Outcome = Object.freeze({ type: 'good' });
const BAD: Outcome = Object.freeze({ type: 'bad' });
const NEUTRAL: Outcome = Object.freeze({ type: 'neutral' });

export type Concluded = {
  readonly call: Call;
  readonly decision: Decision;
  readonly event: WireEvent;
  readonly hints: Hints;
  readonly now: number;
  /** By us: it says nothing of the API. */
  readonly brokenOff: boolean;
};

/** `undefined`: nothing was sent, and the API is not to blame. Pure. */
export function outcomeOf({ call, decision, event, hints, now, brokenOff }: Concluded): Outcome | undefined {
  if (event.phase !== 'answered') {
    if (decision.breaker && !brokenOff) return BAD;
    return event.phase === 'not-sent' ? undefined : NEUTRAL;
  }
  // Another origin, to which a redirect led: neither its limits nor its failures are the API's, which has answered.
  if (event.stranger) return GOOD;
  if (decision.class === 'throttle') return throttled(now, hints.hint?.delay ?? unhinted(call));
  const exhausted = exhaustedFor(event.headers, now);
  if (exhausted !== undefined) return throttled(now, exhausted);
  return decision.breaker ? BAD : GOOD;
}

const throttled = (now: number, delay: number): Outcome => ({ type: 'throttled', until: now + delay });

/** By then there is room again in the shortest of its windows. */
function unhinted({ core: { rateLimits } }: Call): number {
  const shortest = Math.min(...rateLimits.map(({ per }) => per));
  return rateLimits.length === 0 ? UNHINTED_MS : Math.max(UNHINTED_MS, Math.min(HOUR_MS, shortest));
}

function isTooLate(at: number, { settings }: Call, env: AttemptEnv): boolean {
  return at > env.issuedAt + settings.retry.deadline;
}
