/** Tokens as they were looked up in the last minute, so that a request costs no read: also those that are not there. */
import type { Clock, Token, TokenStore } from '../engine/ports.ts';
import { Problem } from './problem.ts';

/** How long a token that was revoked may still be taken. */
const LIFE_MS = 60_000;
/** Who sends made-up tokens fills no memory. */
const MOST = 1_000;
const RETRY_AFTER_SECONDS = 2;

/** What it returns throws `E_UNAVAILABLE` when the store does; that is not remembered. */
export function tokenCache(store: Pick<TokenStore, 'find'>, clock: Clock): (hash: string) => Promise<Token | undefined> {
  const known = new Map<string, { token: Token | undefined; until: number }>();
  return async (hash) => {
    const cached = known.get(hash);
    if (cached && cached.until > clock.now()) return cached.token;
    let token: Token | undefined;
    try {
      token = await store.find(hash);
    } catch (error) {
      throw new Problem('E_UNAVAILABLE', `tokens cannot be looked up: try again in ${RETRY_AFTER_SECONDS} s`, {
        headers: { 'retry-after': String(RETRY_AFTER_SECONDS) },
        cause: error,
      });
    }
    known.delete(hash);
    // A Map is in the order of its insertions: the first is the oldest.
    if (known.size >= MOST) known.delete(known.keys().next().value as string);
    known.set(hash, { token, until: clock.now() + LIFE_MS });
    return token;
  };
}
