/** A part of the stored credential of an account, as users name it. How it is read is account-credential.ts. */
import type { Grant } from '../../engine/credential-ports.ts';
import { bad } from '../settings.ts';
import type { Asking } from './auth.ts';

const FIELDS = ['token', 'username', 'password'] as const;
export type AccountField = (typeof FIELDS)[number];

/** A part of the credential that is stored for the account of the call. */
export type AccountRef = {
  readonly field: AccountField;
  /** Throws `E_NEEDS_AUTH`. */
  read(asking: Asking): Promise<Held>;
};

/** A grant as it was read. */
export type Held = {
  readonly version: number;
  readonly grant: Grant;
  /** Got just now, for whoever asked. */
  readonly isNew?: boolean;
};

/**
 * The credential that was stored for the account (`holdfast credential put`, or the API) in place of `secret('name')`:
 * `bearer(accountSecret())`, `basic(accountSecret('username'), accountSecret('password'))`. Calls need `.for(account)`.
 */
export function accountSecret(field: AccountField = 'token'): AccountRef {
  if (!FIELDS.includes(field)) bad('accountSecret', 'field', "must be 'token' | 'username' | 'password'");
  return Object.freeze({ field, read: async (asking: Asking) => (await import('./late.ts')).readAccount(field, asking) });
}
