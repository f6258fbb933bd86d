/** A call as the engine's operation: its identity and its effect. One attempt is attempt.ts; what is done when its outcome is unknown, settle.ts. */
import type { AttemptEnv, Live, LoadEnv, Operation, Verdict } from '../engine/operation.ts';
import { ENGINE_VERSION } from '../engine/version.ts';
import { admit } from './admit.ts';
import { attempt, type Memory } from './attempt.ts';
import { fingerprint } from './bodies/body.ts';
import type { Call } from './call.ts';
import { reviveCallError } from './errors.ts';
import { type Fetched, isElsewhere, type StoredReply, storeTold, type ToldReply } from './reply.ts';
import { runtimeOf } from './runtime.ts';
import { purposeOf, type Vault, vault } from './secrecy/vault.ts';
import type { Settings } from './settings.ts';
import { traced } from './trace.ts';

export type CallOperation = Operation & {
  /** The reply's text as user code is to have it, of one that was delivered. */
  open(text: string): string;
  /** The same, read. */
  read(text: string): StoredReply;
  /** What was fetched for the reply that was delivered last. The operation outlives it, and must not keep it. */
  taken(): Fetched;
};

/** `engine`: version of the engine's behaviour that its run began with. Default: the present one. */
export function callOperation(call: Call, engine: number = ENGINE_VERSION): CallOperation {
  const { core, effect, settings } = call;
  const memory: Memory = { fresh: false, spooled: {} };
  let fetched: Fetched = {};
  const taken = (): Fetched => {
    const last = fetched;
    fetched = {};
    return last;
  };
  const replies = vault();
  const scope = call.key === undefined ? '' : ` key:${call.key}`;
  const mark = call.path.indexOf('?');
  const path = mark === -1 ? call.path : call.path.slice(0, mark);
  // Ids are shown in journals, logs and spans: what a query holds is for nobody's eyes.
  const asked = mark === -1 ? '' : ` ?${fingerprint(call.path.slice(mark + 1))}`;
  const where = settings.hidePath ? `?${fingerprint(call.path)}` : engine === 1 ? call.path : `${path}${asked}`;
  const place = `${call.method} ${core.id} ${where}${scope}`;
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
    ...(call.signal === undefined ? {} : { signal: call.signal }),
    admit: (env) => admit(call, memory, env),
    attempt: (env) => traced(call, env, (traceparent) => sealed(call, env, replies, attempt(call, memory, env, traceparent))),
    unknown: (env) =>
      sealed(
        call,
        env,
        replies,
        import('./settle.ts').then(({ settle }) => settle(call, env)),
      ),
    // Most replies are in the journal, in clear and with their body.
    load: (text, env) =>
      call.as === 'file' || isElsewhere(text)
        ? fetchReply(call, replies, text, env).then((found) => {
            fetched = found;
          })
        : replies.load(text, env),
    open(text) {
      memory.given = undefined;
      return replies.open(text);
    },
    read(text) {
      const { given } = memory;
      memory.given = undefined;
      // Of this very process: it need not be read again.
      return given?.text === text ? given.stored : (JSON.parse(replies.open(text)) as StoredReply);
    },
    taken,
    adopt: (given) => storeTold(given as ToldReply, call.as),
    revive: (error, value) => reviveCallError(error, value === undefined ? undefined : replies.open(value), taken()),
  };
}

async function fetchReply(call: Call, replies: Vault, text: string, env: LoadEnv): Promise<Fetched> {
  await replies.load(text, env);
  const { fetchedFor } = await import('./bodies/fetched.ts');
  return fetchedFor(JSON.parse(replies.open(text)) as StoredReply, call, env);
}

/** What is kept of a reply has nothing in clear that is to be encrypted. Outside a run nothing is kept. */
function sealed<V extends Verdict | Live>(call: Call, env: AttemptEnv, replies: Vault, verdict: Promise<V>): Promise<V> {
  const { encrypt } = call.settings;
  return encrypt && env.run ? verdict.then((clear) => sealedBy(encrypt, env, replies, clear)) : verdict;
}

async function sealedBy<V extends Verdict | Live>(
  encrypt: NonNullable<Settings['encrypt']>,
  env: AttemptEnv,
  replies: Vault,
  verdict: V,
): Promise<V> {
  if ((verdict.type !== 'done' && verdict.type !== 'fail') || verdict.value === undefined) return verdict;
  const { sealReply } = await import('./secrecy/encrypt.ts');
  const http = runtimeOf(env.services);
  const value = await sealReply(verdict.value, encrypt, (text) => http.seal(purposeOf(env), text));
  replies.keep(value, verdict.value);
  return { ...verdict, value };
}
