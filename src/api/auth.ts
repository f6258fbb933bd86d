/** Whether a request carries one of the tokens. Knows their SHA-256 alone, and takes the same time for every wrong one. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { HoldfastError } from '../engine/errors.ts';

const HASH = /^[0-9a-f]{64}$/i;
const BEARER = /^bearer +([\w.~+/-]+=*) *$/i;

/**
 * `hashes`: SHA-256 of each valid token, as 64 hex digits. The answer is a check of an `Authorization` header.
 * Throws `E_BAD_OPTION` for what is not such a hash.
 */
export function tokenCheck(hashes: readonly string[]): (authorization: string | undefined) => boolean {
  const known = hashes.map((hash, i) => {
    if (!HASH.test(hash)) {
      throw new HoldfastError('E_BAD_OPTION', `token hash ${i + 1} of ${hashes.length} is not the SHA-256 of a token in 64 hex digits`, {
        detail: { field: 'tokenHashes' },
      });
    }
    return Buffer.from(hash, 'hex');
  });
  return (authorization) => {
    const token = BEARER.exec(authorization ?? '')?.[1];
    const given = createHash('sha256')
      .update(token ?? '')
      .digest();
    let matches = 0;
    // All of them, always: the time must not tell which one matched, or whether one did.
    for (const hash of known) matches += timingSafeEqual(given, hash) ? 1 : 0;
    return token !== undefined && matches > 0;
  };
}
