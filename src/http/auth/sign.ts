/** Requests that are signed by a function of the user's: for APIs with a scheme of their own. */

import { CallError } from '../errors.ts';
import { isSendableHeader, reservedHeader } from '../headers.ts';
import { bad } from '../settings.ts';
import { type Asking, type Auth, aSecret, type Credential, needsOf, type Ref, valuesOf } from './auth.ts';

export type ToSign<Names extends string = string> = {
  readonly method: string;
  readonly url: string;
  /** Lower-case names; the idempotency key among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | null;
  readonly secrets: Readonly<Record<Names, string>>;
  /** Of this attempt, milliseconds since the epoch: by the clock of the worker. */
  readonly now: number;
  /** The metadata of the account's credential. */
  readonly metadata: Readonly<Record<string, string>>;
};

/**
 * `sign(({ method, url, body, secrets, now }) => ({ 'x-signature': … }), { secrets: { key: secret('crm/key') } })`: `fn` is asked for
 * the headers to add, before every attempt. What it throws is final: `E_REQUEST_INVALID`.
 */
export function sign<const Names extends string>(
  fn: (request: ToSign<Names>) => Record<string, string> | Promise<Record<string, string>>,
  { secrets }: { secrets: Readonly<Record<Names, Ref>> },
): Auth {
  if (typeof fn !== 'function') bad('sign', 'fn', 'must be a function of the request that returns headers');
  if (typeof secrets !== 'object' || secrets === null) bad('sign', 'secrets', "must be an object such as { key: secret('crm/key') }");
  const names = Object.keys(secrets) as Names[];
  const refs = names.map((name) => aSecret('sign', `secrets.${name}`, secrets[name]));
  return {
    ...needsOf(refs),
    async resolve(asking): Promise<Credential> {
      const { values, about = {} } = await valuesOf(refs, asking);
      const given = Object.fromEntries(names.map((name, index) => [name, values[index]])) as Record<Names, string>;
      const { metadata = {} } = about;
      const { origin, prefix } = asking.core.baseFor(metadata);
      const { method, path, headers, body } = asking.request;
      if (body !== null && typeof body !== 'string' && !(body instanceof Uint8Array))
        throw invalid(asking, 'body', 'it cannot be signed while it is streamed: give it as a text or bytes');
      const now = asking.env.clock.now();
      const request = { method, url: `${origin}${prefix}${path}`, headers: { ...headers }, body, secrets: given, now, metadata };
      let made: unknown;
      try {
        made = await fn(request);
      } catch (thrown) {
        throw invalid(asking, 'auth', `its sign() threw: ${withoutSecrets(thrown, values)}`);
      }
      return { headers: checked(made, asking), secrets: values, version: values.join('\n'), ...about };
    },
  };
}

function checked(made: unknown, asking: Asking): Record<string, string> {
  if (typeof made !== 'object' || made === null) throw invalid(asking, 'auth', 'its sign() returned no headers');
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(made)) {
    const lower = name.toLowerCase();
    if (reservedHeader(lower) || !isSendableHeader(lower, value))
      throw invalid(asking, `headers.${lower}`, `its sign() returned the header ${JSON.stringify(name)}, which cannot be sent`);
    headers[lower] = value as string;
  }
  return headers;
}

function withoutSecrets(thrown: unknown, secrets: readonly string[]): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return secrets.reduce((text, secret) => (secret === '' ? text : text.replaceAll(secret, '‹redacted›')), message).slice(0, 500);
}

function invalid({ core }: Asking, field: string, why: string): CallError {
  return new CallError('E_REQUEST_INVALID', `connection "${core.name}": ${why}`, { connection: core.name, field });
}
