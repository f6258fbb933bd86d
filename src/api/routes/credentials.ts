/**
 * `/v1/connections/{connection}/accounts`: what is stored for accounts, and how it is replaced. Takes secrets and never gives one.
 * Accounts belong to no tenant: a token that has one sees none of it. What is stored of a connection that is deployed no more can
 * still be listed and removed.
 */
import type { AccountSummary, CredentialKey, Grant } from '../../engine/credential-ports.ts';
import { nudgeRuns } from '../../engine/nudge.ts';
import type { Bearer } from '../auth.ts';
import { connectionOf, forAllTenants, inPath } from '../connections.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problem.ts';
import { AccountsQuery, CredentialRequest, NoQuery } from '../requests.ts';
import { type AccountItem, Accounts, StoredAccount } from '../schemas.ts';
import { route } from '../table.ts';
import { time } from '../views.ts';

export const listAccounts = route({
  method: 'GET',
  path: '/v1/connections/{connection}/accounts',
  operation: 'listAccounts',
  tag: 'Credentials',
  summary: 'The accounts of a connection that have a credential, or are waited for',
  description: 'Of each whether it works, never what it is.',
  scope: 'operate',
  query: AccountsQuery,
  answers: { 200: { description: 'A page of them.', schema: Accounts } },
  problems: [],
  async handle({ params, query, bearer }, { credentials }) {
    forAllTenants(bearer);
    const after = query.after === undefined ? {} : { after: Buffer.from(query.after, 'base64url').toString() };
    const { items, next } = await credentials.list(inPath(params, 'connection'), { limit: query.limit, ...after });
    const body = { items: items.map(view), ...(next === undefined ? {} : { next: Buffer.from(next).toString('base64url') }) };
    return { status: 200, body };
  },
});

export const putCredential = route({
  method: 'PUT',
  path: '/v1/connections/{connection}/accounts/{account}/credential',
  operation: 'putCredential',
  tag: 'Credentials',
  summary: 'Store the credential of an account',
  description: 'In place of the one that is there. Runs that wait for it go on. It is kept encrypted, and no answer shows it.',
  scope: 'operate',
  query: NoQuery,
  body: { json: CredentialRequest },
  answers: { 200: { description: 'It is stored.', schema: StoredAccount } },
  problems: ['E_UNKNOWN_CONNECTION'],
  async handle({ params, body, bearer }, deps) {
    forAllTenants(bearer);
    const key = { connection: connectionOf(deps, params), account: inPath(params, 'account') };
    const { expiresAt, ...parts } = body;
    const grant = checked(parts);
    const { credentials, clock } = deps;
    const updatedAt = clock.now();
    const validUntil = expiresAt === undefined ? {} : { validUntil: Date.parse(expiresAt) };
    if (expiresAt !== undefined && grant.accessToken === undefined) throw invalid('/expiresAt', 'is of an accessToken, and there is none');
    const sealed = await credentials.seal(key, grant);
    const version = await credentials.put(key, { status: 'ok', sealed, updatedAt, ...validUntil });
    // Only now: whoever waits from here on has read it.
    const woken = await wakeWaiting(deps, key, bearer);
    const summary: AccountSummary = { account: key.account, version, status: 'ok', updatedAt, ...validUntil, waiting: 0 };
    return { status: 200, body: { ...view(summary), woken } };
  },
});

export const removeCredential = route({
  method: 'DELETE',
  path: '/v1/connections/{connection}/accounts/{account}/credential',
  operation: 'removeCredential',
  tag: 'Credentials',
  summary: 'Remove the credential of an account',
  description: 'Within a minute its calls pause their runs, which wait for another.',
  scope: 'operate',
  query: NoQuery,
  answers: { 204: { description: 'It is gone.' } },
  problems: ['E_UNKNOWN_CREDENTIAL'],
  async handle({ params, bearer }, { credentials, clock }) {
    forAllTenants(bearer);
    const key = { connection: inPath(params, 'connection'), account: inPath(params, 'account') };
    if (await credentials.remove(key, clock.now())) return { status: 204 };
    const account = JSON.stringify(key.account.slice(0, 64));
    throw new Problem('E_UNKNOWN_CREDENTIAL', `nothing is stored for the account ${account} of ${key.connection}`);
  },
});

/** Of a thousand runs each: what a request has time for. */
const MOST_ROUNDS = 10;

/** Noted until it is told: what fails half-way is told by the next storing. */
async function wakeWaiting(deps: ApiDeps, key: CredentialKey, bearer: Bearer): Promise<number> {
  let woken = 0;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const runs = await deps.credentials.waiters(key);
    if (runs.length === 0) break;
    woken += await nudgeRuns(deps, runs, { by: bearer.name, why: 'a credential was stored' });
    await deps.credentials.unwait(key, runs);
  }
  return woken;
}

type Parts = Omit<Grant, 'seed'>;

/** One kind, and whole. Throws `E_REQUEST_INVALID`. */
function checked({
  token,
  username,
  password,
  accessToken,
  refreshToken,
  metadata,
}: { [Part in keyof Parts]: Parts[Part] | undefined }): Grant {
  const about = metadata === undefined ? {} : { metadata };
  const kinds = [token, username ?? password, accessToken ?? refreshToken].filter((part) => part !== undefined);
  if (kinds.length !== 1)
    throw invalid(
      '',
      `must have one of: token; username and password; refreshToken or accessToken${kinds.length > 1 ? ', not several' : ''}`,
    );
  if (token !== undefined) return { token, ...about };
  if (accessToken !== undefined || refreshToken !== undefined)
    return { ...(accessToken === undefined ? {} : { accessToken }), ...(refreshToken === undefined ? {} : { refreshToken }), ...about };
  if (username === undefined) throw invalid('/username', 'is needed with password');
  if (password === undefined) throw invalid('/password', 'is needed with username');
  return { username, password, ...about };
}

function invalid(pointer: string, message: string): Problem {
  const where = pointer === '' ? 'the body' : `the member ${pointer} of the body`;
  return new Problem('E_REQUEST_INVALID', `${where} ${message}`, { errors: [{ pointer, message }] });
}

function view({ account, status, version, updatedAt, validUntil, waiting }: AccountSummary): AccountItem {
  return {
    account,
    status: status === 'ok' ? 'ok' : 'needs-auth',
    version,
    ...(updatedAt === undefined ? {} : { updatedAt: time(updatedAt) }),
    ...(validUntil === undefined ? {} : { expiresAt: time(validUntil) }),
    waiting,
  };
}
