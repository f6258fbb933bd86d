/**
 * One request to an OAuth 2.0 token endpoint (RFC 6749, sections 3.2 and 5) with few retries: over the same sockets, guard and time
 * limits as calls. What it answers is checked to the last field; nothing of it but a code of the standard's is ever shown.
 */

import type { WireEvent } from '../exchange.ts';
import { isSendableHeader } from '../headers.ts';
import { NotPrepared } from '../not-prepared.ts';
import { needsAuth } from './account-credential.ts';
import type { Asking } from './auth.ts';
import type { Renewed } from './tokens.ts';

export type TokenRequest = {
  readonly url: string;
  /** Without those that authenticate the client. */
  readonly form: Readonly<Record<string, string>>;
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly authMethod: 'basic' | 'body';
  /** Members of the answer that are kept as metadata. */
  readonly keep: readonly string[];
  /** When it must be over, ms since the epoch. */
  readonly until: number;
};

export type TokenAnswer = { readonly accessToken: string; readonly refreshToken?: string } & Pick<Renewed, 'validUntil'> & {
    readonly metadata: Record<string, string>;
  };

/** An OAuth 2.0 error code (RFC 6749, section 5.2), where the endpoint answered one. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
  readonly code: string;
  constructor(code: string) {
    super(`the token endpoint answered ${code}`);
    this.code = code;
  }
}

const TRIES = 3;
const LIMITS = { total: 8_000, headers: 8_000, idle: 5_000, minRate: 1_024, maxBody: 64_000 };
const LONGEST_S = 10 * 365 * 86_400;
/** Also keeps what is shown of an answer to what the standard allows there. */
const OAUTH_CODE = /^[a-z][a-z0-9_.-]{2,63}$/i;

/** Throws `TokenRefused`, `E_NEEDS_AUTH` naming connection and field, or `NotPrepared`. */
export async function requestToken(asking: Asking, request: TokenRequest): Promise<TokenAnswer> {
  const { core, env, http } = asking;
  const target = new URL(request.url);
  const { headers, body } = encoded(request);
  for (let tried = 1; ; tried++) {
    const left = request.until - env.clock.now();
    const event = await http.transport.send({
      allowed: core.allowed,
      connectTimeout: core.connectTimeout,
      origin: target.origin,
      method: 'POST',
      path: target.pathname + target.search,
      headers,
      body,
      limits: { ...LIMITS, total: Math.max(1, Math.min(LIMITS.total, left)) },
      // A stale socket could lose a refresh token that was rotated.
      fresh: true,
    });
    const again = transient(event);
    if (again === undefined) return read(asking, request, event as Extract<WireEvent, { phase: 'answered' }>);
    const wait = 200 * 2 ** tried * (0.5 + env.entropy.random() / 2);
    if (tried >= TRIES || env.clock.now() + wait >= request.until)
      throw new NotPrepared(`the token endpoint (tokenUrl) of connection "${core.name}" ${again}`);
    await new Promise<void>((done) => env.clock.timer(wait, done));
  }
}

/** Why it may go better another time. `undefined`: it is an answer, or no. */
function transient(event: WireEvent): string | undefined {
  if (event.phase !== 'answered') return `cannot be asked: ${event.message}`;
  const { status } = event;
  return status === 429 || status === 408 || status >= 500 ? `answered ${status}` : undefined;
}

function read(asking: Asking, { keep }: TokenRequest, { status, body, truncated }: Extract<WireEvent, { phase: 'answered' }>): TokenAnswer {
  const { env } = asking;
  const wrong = (field: string, what: string) => unusable(asking, field, what);
  if (truncated) return wrong('tokenUrl', `its token endpoint answers more than ${LIMITS.maxBody} bytes`);
  const answer = parsed(body);
  if (status >= 400) {
    const code = answer?.error;
    if (typeof code === 'string' && OAUTH_CODE.test(code)) throw new TokenRefused(code);
    return wrong('tokenUrl', `its token endpoint answers ${status}, and no error code of OAuth 2.0`);
  }
  if (status < 200 || status >= 300) return wrong('tokenUrl', `its token endpoint answers ${status}: redirects are not followed`);
  if (answer === undefined) return wrong('tokenUrl', `its token endpoint answers ${status} with what is not a JSON object`);
  // Some say no with a 200.
  if (typeof answer.error === 'string' && OAUTH_CODE.test(answer.error)) throw new TokenRefused(answer.error);
  const { access_token: accessToken, refresh_token: refreshToken, token_type: type, expires_in: expires } = answer;
  if (typeof accessToken !== 'string' || accessToken === '' || !isSendableHeader('authorization', accessToken))
    return wrong('access_token', 'its token endpoint answers an access_token that is none, or cannot be sent in a header');
  if (refreshToken !== undefined && refreshToken !== null && (typeof refreshToken !== 'string' || refreshToken === ''))
    return wrong('refresh_token', 'its token endpoint answers a refresh_token that is not a text');
  if (typeof type === 'string' && /^(dpop|mac)$/i.test(type)) return wrong('token_type', 'its tokens are not bearer tokens: use sign()');
  const seconds = lifetime(expires);
  if (seconds === 'invalid') return wrong('expires_in', 'its token endpoint answers an expires_in that is no number of seconds');
  const metadata: Record<string, string> = {};
  for (const name of keep) if (typeof answer[name] === 'string') metadata[name] = answer[name];
  return {
    accessToken,
    ...(typeof refreshToken === 'string' ? { refreshToken } : {}),
    ...(seconds === undefined ? {} : { validUntil: env.clock.now() + seconds * 1_000 }),
    metadata,
  };
}

/** Throws `E_NEEDS_AUTH`: what a person must mend is not the account's credential. */
export function unusable({ core }: Asking, field: string, what: string): never {
  return needsAuth(core, what, 'mend it and resume the run', field);
}

/** A number, or a text of digits as some write it. */
function lifetime(expires: unknown): number | undefined | 'invalid' {
  if (expires === undefined || expires === null) return undefined;
  const seconds = typeof expires === 'string' && /^\d{1,10}$/.test(expires) ? Number(expires) : expires;
  return typeof seconds === 'number' && seconds > 0 && seconds <= LONGEST_S ? seconds : 'invalid';
}

function parsed(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Section 2.3.1: id and secret are form-encoded before they are put into `Basic`. */
function encoded({ form, clientId, clientSecret, authMethod }: TokenRequest): { headers: Record<string, string>; body: string } {
  const headers: Record<string, string> = {
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
    'user-agent': 'holdfast',
  };
  const body = new URLSearchParams(form);
  if (clientSecret !== undefined && authMethod === 'basic') {
    const part = (text: string) => new URLSearchParams([['', text]]).toString().slice(1);
    headers.authorization = `Basic ${Buffer.from(`${part(clientId)}:${part(clientSecret)}`).toString('base64')}`;
  } else {
    body.set('client_id', clientId);
    if (clientSecret !== undefined) body.set('client_secret', clientSecret);
  }
  return { headers, body: body.toString() };
}
