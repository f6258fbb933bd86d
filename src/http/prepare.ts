/** What an attempt adds to a call just before it is sent: the base URL, the credential, the idempotency key. */
import type { AttemptEnv } from '../engine/operation.ts';
import type { Call } from './call.ts';
import { CallError } from './errors.ts';
import { isSendableHeader } from './headers.ts';
import { withField } from './key-field.ts';
import type { HttpRuntime } from './runtime.ts';

export type Prepared = {
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** In place of the call's: with the key in it. */
  readonly body?: string;
  /** The credential's header value, to see whether a refresh changed it. */
  readonly credential?: string;
  /** Values that no reply, error or record may show. */
  readonly secrets: readonly string[];
};

/** Preparing took all the time that the attempt had. */
export function tooLate(): Error {
  return Object.assign(new Error('not prepared in time'), { name: 'PreparedTooLate' });
}

const NO_SECRETS: readonly string[] = [];
const KEY_LENGTH = 32;

/** Throws `E_SECRET_MISSING`, `E_BAD_OPTION` (a variable is not set), or what the source of secrets throws. */
export async function prepare(call: Call, http: HttpRuntime, env: AttemptEnv, fresh = false): Promise<Prepared> {
  const { core } = call;
  const { origin, prefix } = core.base();
  const path = prefix === '' ? call.path : prefix + call.path;
  const { auth, idempotencyKey: keyed } = core;
  // What an answer is to be sealed with is at hand before it is asked for: afterwards it would be too late to pause.
  if (call.settings.encrypt && env.run) await Promise.all([http.seal('', ''), import('./encrypt.ts')]);
  const withKey = call.effect === 'keyed' && keyed !== undefined;
  let body: { body?: string } = {};
  if (auth === undefined && !withKey) return { origin, path, headers: call.headers, secrets: NO_SECRETS };
  const headers: Record<string, string> = { ...call.headers };
  if (withKey) {
    const key = await idempotencyKey(http, env.keyMaterial);
    if ('field' in keyed) body = { body: withField(call.body as string, keyed.field, key) };
    else headers[keyed.header] = keyed.quoted ? `"${key}"` : key;
  }
  if (auth === undefined) return { origin, path, headers, ...body, secrets: NO_SECRETS };
  const secrets: string[] = [];
  for (const ref of auth.secrets) secrets.push(await http.secrets.get(ref.secret, fresh ? { fresh } : undefined));
  const credential = auth.value(secrets);
  if (!isSendableHeader(auth.header, credential)) {
    throw new CallError(
      'E_REQUEST_INVALID',
      `the secret "${auth.secrets.map(({ secret }) => secret).join('", "')}" cannot be sent in a header: does it end in a line break?`,
      {
        secret: auth.secrets[0]?.secret,
      },
    );
  }
  headers[auth.header] = credential;
  return { origin, path, headers, ...body, credential, secrets: shown([...secrets, credential]) };
}

/** What an API may echo: the secrets, and the credential that was made of them, with or without its padding. The longest first, since one may contain another. */
function shown(secrets: readonly string[]): readonly string[] {
  const all = secrets.map((secret) => secret.replace(/^(?:Bearer|Basic) /, '').replace(/=+$/, ''));
  return [...new Set(all)].sort((a, b) => b.length - a.length);
}

/** The same over attempts, crashes and redrives; nobody who does not have the deployment's key can make it. */
export async function idempotencyKey(http: HttpRuntime, material: string): Promise<string> {
  return (await http.sign(material)).slice(0, KEY_LENGTH);
}
