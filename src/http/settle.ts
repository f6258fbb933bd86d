/** What is done about an unsafe call of which nobody knows whether it happened, by its `onUnknown`. Loaded with the first such call. */
import { outsideRun } from '../engine/context.ts';
import type { ErrorData } from '../engine/errors.ts';
import type { AttemptEnv, Verdict } from '../engine/operation.ts';
import { exponential } from './backoff.ts';
import { isSource } from './bodies/body.ts';
import type { Call } from './call.ts';
import type { As, OnUnknown } from './options.ts';
import { idempotencyKey } from './prepare.ts';
import { storeTold } from './reply.ts';
import { runtimeOf, withRuntime } from './runtime.ts';
import type { Reconciliation, SentCall } from './unknown.ts';

export async function settle(call: Call, env: AttemptEnv): Promise<Verdict> {
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
              ...(call.json !== undefined || call.body === null || isSource(call.body) ? {} : { body: call.body }),
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

type UnknownCall = {
  readonly onUnknown: OnUnknown;
  readonly error: ErrorData;
  readonly attempts: number;
  readonly timeout: number;
  readonly as?: As;
  /** Made only when a reconciler is asked. */
  sent(): Promise<SentCall>;
};

async function settleUnknown(call: UnknownCall, env: AttemptEnv): Promise<Verdict> {
  const { onUnknown, error } = call;
  if (onUnknown === 'pause') return { type: 'pause', error };
  if (onUnknown === 'throw') return { type: 'fail', error };
  if (onUnknown === 'retry') {
    if (env.attempt >= call.attempts) return { type: 'fail', error };
    return { type: 'resend', at: later(env), record: { row: 'unknown: retry' } };
  }
  let answer: Reconciliation;
  try {
    const sent = await call.sent();
    answer = await within(call.timeout, env, () => outsideRun(() => onUnknown.reconcile(sent)));
    if (answer?.outcome === 'applied') {
      return { type: 'done', value: storeTold(answer, call.as), record: { row: 'reconciled: applied' } };
    }
  } catch (thrown) {
    return askAgain(call, env, thrown);
  }
  if (answer?.outcome === 'not-applied') {
    const record = { row: 'reconciled: not applied' };
    // A call that never arrives ends with a person, like a reconciler that always throws.
    return env.attempt >= call.attempts ? { type: 'pause', error, record } : { type: 'resend', at: later(env), record };
  }
  if (answer?.outcome === 'cannot-tell') return { type: 'pause', error, record: { row: 'reconciled: cannot tell' } };
  return askAgain(call, env, new Error('reconcile must answer applied(), notApplied() or cannotTell()'));
}

function askAgain(call: UnknownCall, env: AttemptEnv, thrown: unknown): Verdict {
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  const error = { ...call.error, message: `${call.error.message}; its reconciler failed: ${why.slice(0, 500)}` };
  const record = { row: 'reconciler failed', n: env.attempt };
  // Every asking uses up an attempt, so that a reconciler that always throws ends with a person.
  if (env.attempt >= call.attempts) return { type: 'pause', error, record };
  const at = later(env);
  return { type: 'again', at, counts: 'attempt', error, record: { ...record, next: at } };
}

function later(env: AttemptEnv): number {
  return env.clock.now() + Math.ceil(exponential({ ...env, random: env.entropy.random }));
}

async function within<T>(ms: number, env: AttemptEnv, fn: () => Promise<T> | T): Promise<T> {
  let timer: { cancel(): void } | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = env.clock.timer(ms, () => reject(new Error(`no answer within ${ms} ms`)));
    });
    return await Promise.race([Promise.resolve().then(fn), late]);
  } finally {
    timer?.cancel();
  }
}
