/** What an attempt adds to a call just before it is sent: the base URL, the credential, the idempotency key. */
import type { AttemptEnv } from '../engine/operation.ts';
import type { Asking, Credential } from './auth/auth.ts';
import type { Call } from './call.ts';
import { withField } from './key-field.ts';
import type { HttpRuntime } from './runtime.ts';

export type Prepared = {
  readonly origin: string;
  readonly path: string;
  /** What the call's own path was put behind. */
  readonly base: string;
  readonly headers: Readonly<Record<string, string>>;
  /** In place of the call's: with the key in it. */
  readonly body?: string;
  /** To see whether a refresh changed it. */
  readonly credential?: Credential;
  /** Values that no reply, error or record may show. */
  readonly secrets: readonly string[];
};

/** Preparing took all the time that the attempt had. */
export function tooLate(): Error {
  return Object.assign(new Error('not prepared in time'), { name: 'PreparedTooLate' });
}

const NO_METADATA: NonNullable<Credential['metadata']> = {};
const NO_SECRETS: readonly string[] = [];
const KEY_LENGTH = 32;

/** `refused`: the credential that was answered with a 401. Throws `E_BAD_OPTION` (a variable is not set), and what `Auth.resolve` does. */
export async function prepare(call: Call, http: HttpRuntime, env: AttemptEnv, refused?: Credential): Promise<Prepared> {
  const { core } = call;
  const { auth, idempotencyKey: keyed } = core;
  // What an answer is to be sealed with is at hand before it is asked for: afterwards it would be too late to pause.
  if (call.settings.encrypt && env.run) await Promise.all([http.seal('', ''), import('./secrecy/encrypt.ts')]);
  const withKey = call.effect === 'keyed' && keyed !== undefined;
  let body: { body?: string } = {};
  if (auth === undefined && !withKey) return { ...target(call, {}), headers: call.headers, secrets: NO_SECRETS };
  let { headers } = call;
  if (withKey) {
    const key = await idempotencyKey(http, env.keyMaterial);
    if ('field' in keyed) body = { body: withField(call.body as string, keyed.field, key) };
    else headers = { ...headers, [keyed.header]: keyed.quoted ? `"${key}"` : key };
  }
  if (auth === undefined) return { ...target(call, {}), headers, ...body, secrets: NO_SECRETS };
  const request = { method: call.method, path: call.path, headers, body: body.body ?? call.body };
  const asking: Asking = refused === undefined ? { core, http, env, request } : { core, http, env, request, refused };
  const credential = await auth.resolve(asking);
  const { origin, path, base } = target(call, credential.metadata ?? NO_METADATA);
  const { query } = credential;
  return {
    origin,
    base,
    path: query === undefined ? path : `${path}${path.includes('?') ? '&' : '?'}${query}`,
    headers: withCredential(headers, credential),
    ...body,
    credential,
    secrets: shown(credential.secrets),
  };
}

type Headers = Prepared['headers'];

/** Most calls of a connection have the same headers, one object of them, and the same credential. */
const together = new WeakMap<Credential, { readonly headers: Headers; readonly all: Headers }>();

function withCredential(headers: Headers, credential: Credential): Headers {
  const known = together.get(credential);
  if (known?.headers === headers) return known.all;
  const all = { ...headers, ...credential.headers };
  together.set(credential, { headers, all });
  return all;
}

function target({ core, path }: Call, metadata: NonNullable<Credential['metadata']>): Pick<Prepared, 'origin' | 'path' | 'base'> {
  const { origin, prefix } = core.baseFor(metadata);
  return { origin, base: origin + prefix, path: prefix === '' ? path : prefix + path };
}

/** What an API may echo: the secrets, and the credential that was made of them, with or without its padding. The longest first, since one may contain another. */
function shown(secrets: readonly string[]): readonly string[] {
  let known = shownOf.get(secrets);
  if (known === undefined) {
    known = bare(secrets);
    shownOf.set(secrets, known);
  }
  return known;
}

const shownOf = new WeakMap<readonly string[], readonly string[]>();

function bare(secrets: readonly string[]): readonly string[] {
  const all = secrets.map((secret) => secret.replace(/^(?:Bearer|Basic) /, '').replace(/=+$/, ''));
  return [...new Set(all)].sort((a, b) => b.length - a.length);
}

/** The same over attempts, crashes and redrives; nobody who does not have the deployment's key can make it. */
export async function idempotencyKey(http: HttpRuntime, material: string): Promise<string> {
  return (await http.sign(material)).slice(0, KEY_LENGTH);
}
