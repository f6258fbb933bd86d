/** API tokens in a map. */
import { HoldfastError } from '../engine/errors.ts';
import type { Token, TokenStore } from '../engine/ports.ts';
import { type Faults, withFaults } from './faults.ts';

export function memoryTokenStore(faults: Faults = {}): TokenStore {
  const tokens = new Map<string, Token>();
  return {
    find: (hash) => withFaults(faults, 'find', hash, () => structuredClone(tokens.get(hash))),
    list: () => withFaults(faults, 'list', '', () => structuredClone([...tokens.values()].sort((a, b) => (a.hash < b.hash ? -1 : 1)))),
    put: (token) =>
      withFaults(faults, 'put', token.hash, () => {
        if (tokens.has(token.hash)) {
          throw new HoldfastError('E_BAD_OPTION', `the token "${token.name}" is there already: make another one`, {
            detail: { field: 'hash' },
          });
        }
        tokens.set(token.hash, structuredClone(token));
      }),
    remove: (hash) => withFaults(faults, 'remove', hash, () => tokens.delete(hash)),
  };
}
