/** References to secrets. The value is looked up when a call is sent, and never becomes part of an option, an error or the journal. */
import { HoldfastError } from '../../engine/errors.ts';

export type SecretRef = { readonly secret: string };

/** The secret of that name in the deployment's secret store, such as `crm/token`. Throws `E_BAD_OPTION`. */
export function secret(name: string): SecretRef {
  if (typeof name !== 'string' || !/^[A-Za-z0-9_./-]{1,200}$/.test(name)) {
    throw new HoldfastError(
      'E_BAD_OPTION',
      `secret: ${JSON.stringify(name)} is not a name of letters, digits and _ . / - such as 'crm/token'`,
      {
        detail: { field: 'secret' },
      },
    );
  }
  return Object.freeze({ secret: name });
}

export function isSecretRef(value: unknown): value is SecretRef {
  return typeof value === 'object' && value !== null && typeof (value as { secret?: unknown }).secret === 'string';
}
