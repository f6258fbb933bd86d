/** How a request proves who sends it. What needs more than secrets in one header or query is in files of its own: oauth.ts, sign.ts. */
import type { AttemptEnv } from '../../engine/operation.ts';
import type { Core } from '../core.ts';
import { CallError } from '../errors.ts';
import { isSendableHeader, reservedHeader } from '../headers.ts';
import type { HttpRuntime } from '../runtime.ts';
import { bad } from '../settings.ts';
import type { AccountRef } from './account.ts';
import { isSecretRef, type SecretRef } from './secrets.ts';

/** A secret of the deployment, or a part of the credential of the account. */
export type Ref = SecretRef | AccountRef;

/** What a request is sent with, from one asking for it to the next. */
export type Credential = {
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Appended to the query, encoded. */
  readonly query?: string;
  /** What no reply, error or record may show. */
  readonly secrets: readonly string[];
  /** The same as before: asking again has changed nothing. */
  readonly version: string;
  /** Another got it, some time ago: a 401 may be about that one, too. */
  readonly isOld?: boolean;
  /** Of the stored credential it was made from. */
  readonly stored?: number;
  /** Of the account, for `baseUrl`. */
  readonly metadata?: Readonly<Record<string, string>>;
};

/** The request that a credential is for, as far as it is made. */
export type Unsigned = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
};

export type Asking = {
  readonly core: Core;
  readonly http: HttpRuntime;
  readonly env: AttemptEnv;
  readonly request: Unsigned;
  /** The one that the API has just refused with a 401. */
  readonly refused?: Credential;
};

export type Auth = {
  /** Names of the secrets of the deployment that it needs. */
  readonly secrets: readonly SecretRef[];
  /** It is a credential of an account: calls are made through `.for(account)`. */
  readonly perAccount?: boolean;
  /**
   * Asked once for each attempt, and once more after a 401. Throws `E_SECRET_MISSING`, `E_NEEDS_AUTH` and `E_BAD_OPTION` (a person must
   * act), `E_REQUEST_INVALID` (final), or anything else (tried again).
   */
  resolve(asking: Asking): Promise<Credential>;
};

/** `Authorization: Bearer …` (RFC 6750). */
export function bearer(token: Ref): Auth {
  return inHeader('authorization', [aSecret('bearer', 'token', token)], ([value = '']) => `Bearer ${value}`);
}

/** `Authorization: Basic …` (RFC 7617). The user may be a text; the password is a secret. */
export function basic(user: string | Ref, password: Ref): Auth {
  const secret = aSecret('basic', 'password', password);
  const encode = (name: string, word: string) => `Basic ${Buffer.from(`${name}:${word}`).toString('base64')}`;
  if (typeof user !== 'string')
    return inHeader('authorization', [aSecret('basic', 'user', user), secret], ([name = '', word = '']) => encode(name, word));
  if (user.includes(':')) bad('basic', 'user', 'must not contain a colon (RFC 7617)');
  return inHeader('authorization', [secret], ([word = '']) => encode(user, word));
}

/** A header of the API's own, such as `X-Api-Key`. */
export function header(name: string, value: Ref): Auth {
  const lower = String(name).toLowerCase();
  if (!isSendableHeader(lower, '') || reservedHeader(lower))
    bad('header', 'name', `cannot be ${JSON.stringify(name)}: use the API's header, such as 'X-Api-Key'`);
  return inHeader(lower, [aSecret('header', 'value', value)], ([secret = '']) => secret);
}

/** A parameter of the query, such as `api_key`. Added when the request is sent: no identity, label, error, span or record has it. */
export function query(name: string, value: Ref): Auth {
  if (typeof name !== 'string' || name === '') bad('query', 'name', "must be the parameter's name, such as 'api_key'");
  const refs = [aSecret('query', 'value', value)];
  return fromSecrets(refs, ([secret = '']) => {
    // Both forms may be echoed.
    const encoded = encodeURIComponent(secret.toWellFormed());
    return { query: `${encodeURIComponent(name)}=${encoded}`, secrets: [secret, encoded], version: secret };
  });
}

function inHeader(name: string, refs: readonly Ref[], make: (values: readonly string[]) => string): Auth {
  /** Of an attempt before: most have the same secrets. */
  let last: Credential | undefined;
  return fromSecrets(refs, (values, { core }) => {
    const value = make(values);
    if (last?.version === value && values.every((one, at) => one === last?.secrets[at])) return last;
    if (!isSendableHeader(name, value)) {
      const names = refs.map((ref) => (isSecretRef(ref) ? ref.secret : `account's ${ref.field}`)).join('", "');
      throw new CallError('E_REQUEST_INVALID', `the secret "${names}" cannot be sent in a header: does it end in a line break?`, {
        connection: core.name,
        secret: refs.find(isSecretRef)?.secret,
      });
    }
    last = { headers: { [name]: value }, secrets: [...values, value], version: value };
    return last;
  });
}

function fromSecrets(refs: readonly Ref[], make: (values: readonly string[], asking: Asking) => Credential): Auth {
  return {
    ...needsOf(refs),
    async resolve(asking) {
      const { values, about } = await valuesOf(refs, asking);
      const credential = make(values, asking);
      return about === undefined ? credential : { ...credential, ...about };
    },
  };
}

export function needsOf(refs: readonly Ref[]): Pick<Auth, 'secrets' | 'perAccount'> {
  const secrets = refs.filter(isSecretRef);
  return secrets.length === refs.length ? { secrets } : { secrets, perAccount: true };
}

type Values = { values: string[]; about: Pick<Credential, 'stored' | 'metadata'> | undefined };

/** In order. After a 401 all of them are read anew. */
export async function valuesOf(refs: readonly Ref[], asking: Asking): Promise<Values> {
  const values: string[] = [];
  let about: Values['about'];
  for (const ref of refs) {
    if (isSecretRef(ref)) values.push(await asking.http.secrets.get(ref.secret, asking.refused && { fresh: true }));
    else {
      const { grant, version } = await ref.read(asking);
      values.push(grant[ref.field] ?? grant.accessToken ?? '');
      about = { stored: version, metadata: grant.metadata ?? {} };
    }
  }
  return { values, about };
}

/** Throws `E_BAD_OPTION`. */
export function aSecret(where: string, field: string, ref: Ref): Ref {
  if (isSecretRef(ref) || typeof ref?.read === 'function') return ref;
  return bad(where, field, "must be a reference: secret('name') or accountSecret(), not the value itself");
}

export function isAuth(value: unknown): value is Auth {
  return typeof value === 'object' && value !== null && typeof (value as Auth).resolve === 'function';
}
