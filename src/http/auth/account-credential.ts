/** The stored credential of an account: read, opened, and what is said while there is none. Loaded with the first that is asked for. */
import { type CredentialKey, credentialPurpose, type Grant } from '../../engine/credential-ports.ts';
import { HoldfastError } from '../../engine/errors.ts';
import type { Core } from '../core.ts';
import type { HttpRuntime } from '../runtime.ts';
import type { AccountField, Held } from './account.ts';
import type { Asking } from './auth.ts';
import { current } from './tokens.ts';

/** A grant that has the field. Throws `E_NEEDS_AUTH`. */
export async function readAccount(field: AccountField, asking: Asking): Promise<Held> {
  const { name, account = '' } = asking.core;
  const held = await current({ connection: name, account }, asking);
  if (fieldOf(held.grant, field) === undefined) return needsAuth(asking.core, `the stored credential has no ${field}`);
  return held;
}

/** An access token that came without a refresh token is a token like any other. */
function fieldOf(grant: Grant, field: AccountField): string | undefined {
  return grant[field] ?? (field === 'token' ? grant.accessToken : undefined);
}

type Whose = Pick<Core, 'name' | 'account'>;

/** Throws `E_NEEDS_AUTH`: a person must act, and the run waits for it. `field`: at fault, so that storing another credential mends nothing. */
export function needsAuth({ name, account }: Whose, why: string, remedy?: string, field?: string): never {
  const what = remedy ?? `store one: npx holdfast credential put ${name} ${account === undefined ? '<account>' : shell(account)}`;
  const message = `${describe({ name, account })}: ${why}; ${what}`;
  throw new HoldfastError('E_NEEDS_AUTH', message, { detail: { connection: name, account, field } });
}

export function describe({ name, account }: { name: string; account?: string | undefined }): string {
  return account === undefined ? `connection "${name}"` : `connection "${name}", account ${JSON.stringify(account)}`;
}

const shell = (text: string): string => (/^[\w.@:/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

export async function openGrant(http: HttpRuntime, key: CredentialKey, sealed: string): Promise<Grant> {
  return JSON.parse(await http.unseal(credentialPurpose(key), sealed)) as Grant;
}

export async function sealGrant(http: HttpRuntime, key: CredentialKey, grant: Grant): Promise<string> {
  return http.seal(credentialPurpose(key), JSON.stringify(grant));
}
