/** Whose token a request carries, and what it allows. Knows hashes alone; a wrong token takes as long as any other. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { HoldfastError } from '../engine/errors.ts';
import type { Clock, TokenScope, TokenStore } from '../engine/ports.ts';
import { Problem } from './problem.ts';
import { tokenCache } from './token-cache.ts';

/** Who asks. Without a tenant: for all of them. */
export type Bearer = { readonly name: string; readonly scopes: readonly TokenScope[]; readonly tenant?: string };

const HASH = /^[0-9a-f]{64}$/i;
const BEARER = /^bearer +([\w.~+/-]+=*) *$/i;
/** What `holdfast token create` makes: anything else is in no table, and is not looked for. */
const MADE = /^hf_[\w-]{43}$/;

const STATIC: Bearer = { name: 'static token', scopes: ['read', 'start', 'operate'] };

type Tokens = { hashes: readonly string[]; store: Pick<TokenStore, 'find'>; clock: Clock };

/**
 * `hashes`: SHA-256 of each token of the stage's configuration; these are for everything.
 * What it returns throws `E_UNAUTHORIZED`, and `E_UNAVAILABLE` when tokens cannot be looked up. Throws `E_BAD_OPTION` for what is not such a hash.
 */
export function authenticator({ hashes, store, clock }: Tokens): (authorization: string | undefined) => Promise<Bearer> {
  const isStatic = tokenCheck(hashes);
  const find = tokenCache(store, clock);
  return async (authorization) => {
    const token = bearerToken(authorization);
    if (token !== undefined && isStatic(token)) return STATIC;
    const known = token !== undefined && MADE.test(token) ? await find(sha256(token).toString('hex')) : undefined;
    if (!known || (known.expiresAt !== undefined && known.expiresAt <= clock.now())) throw unauthorized(authorization !== undefined);
    return { name: known.name, scopes: known.scopes, ...(known.tenant === undefined ? {} : { tenant: known.tenant }) };
  };
}

export function bearerToken(authorization: string | undefined): string | undefined {
  return BEARER.exec(authorization ?? '')?.[1];
}

/** `hashes` as 64 hex digits each. Throws `E_BAD_OPTION` for what is not such a hash. */
export function tokenCheck(hashes: readonly string[]): (token: string) => boolean {
  const known = hashes.map((hash, i) => {
    if (!HASH.test(hash)) {
      throw new HoldfastError('E_BAD_OPTION', `token hash ${i + 1} of ${hashes.length} is not the SHA-256 of a token in 64 hex digits`, {
        detail: { field: 'tokenHashes' },
      });
    }
    return Buffer.from(hash, 'hex');
  });
  return (token) => {
    const given = sha256(token);
    let matches = 0;
    // All of them, always: the time must not tell which one matched, or whether one did.
    for (const hash of known) matches += timingSafeEqual(given, hash) ? 1 : 0;
    return matches > 0;
  };
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

function unauthorized(given: boolean): Problem {
  // RFC 6750, section 3.1: a request without any credentials is not told of an error.
  const challenge = given ? 'Bearer realm="holdfast", error="invalid_token"' : 'Bearer realm="holdfast"';
  return new Problem('E_UNAUTHORIZED', 'send a valid token as Authorization: Bearer <token>', {
    headers: { 'www-authenticate': challenge },
  });
}

/** Throws `E_FORBIDDEN` naming the scope that is missing. */
export function requireScope(bearer: Bearer, scope: TokenScope): void {
  if (bearer.scopes.includes(scope)) return;
  const has = bearer.scopes.length === 0 ? 'none' : bearer.scopes.join(', ');
  throw new Problem('E_FORBIDDEN', `this needs a token with the scope "${scope}", and "${bearer.name}" has ${has}`, {
    // RFC 6750, section 3.1.
    headers: { 'www-authenticate': `Bearer realm="holdfast", error="insufficient_scope", scope="${scope}"` },
  });
}

/** The tenant that a request is for: the one it names, otherwise the token's. Throws `E_FORBIDDEN` for one that is not the token's. */
export function tenantOf(
  bearer: Bearer,
  named: string | undefined,
  where: { header: string } | { parameter: string } | { pointer: string },
) {
  if (bearer.tenant === undefined || named === undefined || named === bearer.tenant) return named ?? bearer.tenant;
  const message = `is of another tenant than the token "${bearer.name}": leave it out, or use a token of ${named}`;
  throw new Problem('E_FORBIDDEN', `the tenant ${named} ${message}`, { errors: [{ ...where, message }] });
}

/** Whether it may be seen: what belongs to no tenant is seen by nobody whose token has one. */
export function isVisible(bearer: Bearer, { tenant }: { tenant?: string }): boolean {
  return bearer.tenant === undefined || bearer.tenant === tenant;
}
