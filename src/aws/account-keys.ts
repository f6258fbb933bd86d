/** Sort keys in the table of connections: what belongs to an account begins with its `accountOrder`. Pure. */
import { accountOrder } from '../engine/credential-ports.ts';

/** Before everything: names have no control characters. */
export const FIRST = '\u0001';

/** After everything of an account: what follows its name begins with an ASCII letter. */
export const endOf = (account: string): string => `${accountOrder(account)}~`;

/** Whose it is, and what follows the name: nothing for what is the account's own. */
export function accountAt(sortKey: string): { account: string; rest: string } {
  const end = sortKey.indexOf('#');
  return { account: sortKey.slice(0, end).replace(/%2[35]/g, decodeURIComponent), rest: sortKey.slice(end + 1) };
}
