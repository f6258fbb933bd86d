/** How a request proves who sends it: one header, made of secrets. */
import { isSendableHeader, reservedHeader } from './headers.ts';
import { isSecretRef, type SecretRef } from './secrets.ts';
import { bad } from './settings.ts';

export type Auth = {
  /** Lower case. */
  readonly header: string;
  readonly secrets: readonly SecretRef[];
  /** The header's value from the secrets' values, in order. */
  value(values: readonly string[]): string;
};

/** `Authorization: Bearer …` (RFC 6750). */
export function bearer(token: SecretRef): Auth {
  return one('bearer', 'authorization', token, (value) => `Bearer ${value}`);
}

/** `Authorization: Basic …` (RFC 7617). The user may be a text; the password is a secret. */
export function basic(user: string | SecretRef, password: SecretRef): Auth {
  if (!isSecretRef(password)) bad('basic', 'password', "must be a reference: secret('name')");
  if (typeof user === 'string' && user.includes(':')) bad('basic', 'user', 'must not contain a colon (RFC 7617)');
  if (typeof user !== 'string' && !isSecretRef(user)) bad('basic', 'user', "must be a text or secret('name')");
  const encode = (name: string, word: string) => `Basic ${Buffer.from(`${name}:${word}`).toString('base64')}`;
  if (typeof user === 'string') return one('basic', 'authorization', password, (word) => encode(user, word));
  return { header: 'authorization', secrets: [user, password], value: ([name = '', word = '']) => encode(name, word) };
}

/** A header of the API's own, such as `X-Api-Key`. */
export function header(name: string, value: SecretRef): Auth {
  const lower = String(name).toLowerCase();
  if (!isSendableHeader(lower, '') || reservedHeader(lower))
    bad('header', 'name', `cannot be ${JSON.stringify(name)}: use the API's header, such as 'X-Api-Key'`);
  return one('header', lower, value, (secret) => secret);
}

function one(where: string, name: string, ref: SecretRef, make: (value: string) => string): Auth {
  if (!isSecretRef(ref)) bad(where, 'secret', "must be a reference: secret('name'), not the value itself");
  return { header: name, secrets: [ref], value: ([value = '']) => make(value) };
}

export function isAuth(value: unknown): value is Auth {
  return (
    typeof value === 'object' && value !== null && typeof (value as Auth).header === 'string' && typeof (value as Auth).value === 'function'
  );
}
