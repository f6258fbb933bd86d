/** An operation's id within its run, and the material of its idempotency key: the same on every replay. */
import { createHash } from 'node:crypto';
import type { Scope } from './context.ts';
import type { Operation } from './operation.ts';

/** Longer identities are kept as hashes, so that entries stay small. */
const READABLE_MAX = 120;
/** Begins what is counted beside identities, and no identity. */
const OTHER = '\0';
const NUMBERED = / #\d+$/;

export function identify(operation: Operation, scope: Scope, run: string): { id: string; keyMaterial: string } {
  const ordinal = count(scope, operation.identity);
  const keyIdentity = operation.keyIdentity ?? operation.identity;
  const keyOrdinal = operation.keyIdentity === undefined ? ordinal : count(scope, `${OTHER}k ${keyIdentity}`);
  const place = scope.path === '' ? operation.identity : `${scope.path} ${operation.identity}`;
  const name =
    place.length <= READABLE_MAX ? place : `${operation.kind} ${createHash('sha256').update(place).digest('base64url').slice(0, 22)}`;
  return {
    // A name that ends like a numbered one is numbered too: no two operations of a run share an id.
    id: ordinal === 0 && !NUMBERED.test(name) ? name : `${name} #${ordinal}`,
    keyMaterial: JSON.stringify([run, keyIdentity, scope.path, keyOrdinal]),
  };
}

/** The same for a later epoch of the key; for none it is what it always was. */
export function ofEpoch(keyMaterial: string, epoch: number): string {
  return epoch === 0 ? keyMaterial : JSON.stringify([...(JSON.parse(keyMaterial) as unknown[]), epoch]);
}

/** The scope of one item of the next `map` in `scope`. */
export function mapScopes(scope: Scope): (index: number) => Scope {
  const path = `${scope.path}/${count(scope, `${OTHER}map`)}`;
  return (index) => ({ path: `${path}[${index}]`, ordinals: new Map() });
}

function count(scope: Scope, what: string): number {
  const ordinal = scope.ordinals.get(what) ?? 0;
  scope.ordinals.set(what, ordinal + 1);
  return ordinal;
}
