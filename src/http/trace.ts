/**
 * W3C Trace Context (https://www.w3.org/TR/trace-context/) of outgoing calls: the run's trace goes on, under a parent id of each
 * attempt's own. Part of no identity, no fingerprint and no decision; whoever makes spans of attempts is handed in.
 */
import { hash } from 'node:crypto';
import { toErrorData } from '../engine/errors.ts';
import type { AttemptEnv, Live, Verdict } from '../engine/operation.ts';
import type { Entropy } from '../engine/ports.ts';
import { type Call, shown } from './call.ts';
import { runtimeOf } from './runtime.ts';

/** An attempt as a span may show it: without query, body and credentials. */
export type TracedAttempt = {
  readonly method: string;
  readonly connection: string;
  readonly url: string;
  /** Absent: it is made for no run. */
  readonly run?: NonNullable<AttemptEnv['run']>;
  /** The operation's id, in the run's journal; absent where the call is in none. */
  readonly call?: string;
  readonly attempt: number;
  readonly throttles: number;
};

export type AttemptSpan = {
  /** Names this span as the parent of what the API does. */
  readonly traceparent: string;
  end(verdict: Verdict): void;
};

/** Begins the span of an attempt. `undefined`: nobody records any. */
export type CallTracer = (attempt: TracedAttempt) => AttemptSpan | undefined;

export const TRACEPARENT_HEADER = 'traceparent';

/** Makes the attempt with the `traceparent` that it is to send, if it is to send one. */
export function traced(
  call: Call,
  env: AttemptEnv,
  attempt: (traceparent: string | undefined) => Promise<Verdict | Live>,
): Promise<Verdict | Live> {
  const http = runtimeOf(env.services);
  const run = env.run ?? http.serves;
  const { tracer } = http;
  const span = tracer && quietly(() => tracer(described(call, env, run)));
  return span ? spanned(span, attempt) : attempt(continued(run?.traceparent, env.entropy));
}

async function spanned(span: AttemptSpan, attempt: (traceparent: string) => Promise<Verdict | Live>): Promise<Verdict | Live> {
  try {
    const verdict = await attempt(span.traceparent);
    if (verdict.type === 'live') verdict.reply.onEnd((whole) => void quietly(() => span.end(whole)));
    else quietly(() => span.end(verdict));
    return verdict;
  } catch (thrown) {
    quietly(() => span.end({ type: 'fail', error: toErrorData(thrown, 'E_INTERNAL') }));
    throw thrown;
  }
}

function described(call: Call, env: AttemptEnv, run: AttemptEnv['run']): TracedAttempt {
  const { origin, prefix } = call.core.base();
  return {
    method: call.method,
    connection: call.core.name,
    url: call.settings.hidePath ? `${origin}${prefix}` : `${origin}${prefix}${shown(call.path)}`,
    attempt: env.attempt,
    throttles: env.throttles,
    ...(run === undefined ? {} : { run }),
    ...(env.run === undefined ? {} : { call: env.op }),
  };
}

/** What is only watched must not change how a call goes. */
function quietly<T>(watch: () => T): T | undefined {
  try {
    return watch();
  } catch {
    return undefined;
  }
}

/** All-zero ids and version ff are invalid; what a later version appends is not ours to pass on (sections 3.2.2 and 4.3). */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-([\da-f]{2})(?:-|$)/;
/** Sampled, and random trace id: no other flags are defined, and those are not to be passed on. */
const KNOWN_FLAGS = 0b11;

/** The same trace and its flags with a new parent id. `undefined` without a trace to go on with. */
export function continued(traceparent: string | undefined, entropy: Entropy): string | undefined {
  if (traceparent === undefined) return undefined;
  const [, trace, flags] = TRACEPARENT.exec(traceparent) ?? [];
  if (trace === undefined || flags === undefined) return undefined;
  const parent = hash('sha256', entropy.id(), 'hex').slice(0, 16);
  return `00-${trace}-${parent}-${(Number.parseInt(flags, 16) & KNOWN_FLAGS).toString(16).padStart(2, '0')}`;
}
