/** OAuth 2.0 as users declare it (RFC 6749): which grant, with which client. How one token serves the whole fleet is tokens.ts. */
import type { Grant } from '../../engine/credential-ports.ts';
import type { BaseUrl } from '../base-url.ts';
import type { Core } from '../core.ts';
import { bad, onlyKnown } from '../settings.ts';
import type { Asking, Auth, Credential } from './auth.ts';
import { isSecretRef, type SecretRef } from './secrets.ts';

export type OAuth2Options = {
  /** The token endpoint: an https URL, `vars('crm-token-url')`, or for accounts a function of the account and its credential's metadata. */
  tokenUrl: string | BaseUrl | ((account: string, metadata: Readonly<Record<string, string>>) => string);
  clientId: string | SecretRef;
  /** Not for public clients. */
  clientSecret?: SecretRef;
  /** Scopes, separated by spaces. Default: none is asked for. */
  scope?: string;
  /** A parameter `audience`, for the providers that want one (Auth0). */
  audience?: string;
  /** Where id and secret are: in `Authorization: Basic` (default), or in the body. */
  authMethod?: 'basic' | 'body';
  /** Further parameters of the token request. No secrets: they are kept in code. */
  extra?: Readonly<Record<string, string>>;
  /** Members of the token's answer that are kept as metadata, for `baseUrl`: `['instance_url']`. */
  keep?: readonly string[];
};

export type OAuth2RefreshOptions = OAuth2Options & {
  /** The first refresh token. Later ones, where the provider rotates them, are kept by Holdfast. */
  refreshToken: SecretRef;
};

const FIELDS = ['tokenUrl', 'clientId', 'clientSecret', 'scope', 'audience', 'authMethod', 'extra', 'keep'] as const;

/** Tokens for the deployment itself (RFC 6749, section 4.4): one for the whole fleet, renewed ahead of its end. */
export function oauth2ClientCredentials(options: OAuth2Options & { clientSecret: SecretRef }): Auth {
  const checked = check('oauth2ClientCredentials', options, FIELDS);
  if (!options.clientSecret) bad('oauth2ClientCredentials', 'clientSecret', "must be a reference: secret('name')");
  return oauth2(checked, { kind: 'client_credentials' });
}

/** Tokens from a refresh token of ours (section 6): one for the whole fleet; a rotated refresh token is stored before its access token is used. */
export function oauth2RefreshToken(options: OAuth2RefreshOptions): Auth {
  const checked = check('oauth2RefreshToken', options, [...FIELDS, 'refreshToken']);
  const { refreshToken } = options;
  if (!isSecretRef(refreshToken)) bad('oauth2RefreshToken', 'refreshToken', "must be a reference: secret('name'), not the value itself");
  return oauth2(checked, { kind: 'refresh_token', seed: refreshToken });
}

/** Tokens of each account, from what is stored for it: `{ accessToken?, refreshToken, expiresAt? }`. Calls need `.for(account)`. */
export function oauth2Account(options: OAuth2Options): Auth {
  return oauth2(check('oauth2Account', options, FIELDS), { kind: 'account' });
}

export type GrantKind = { kind: 'client_credentials' } | { kind: 'refresh_token'; seed: SecretRef } | { kind: 'account' };

function oauth2(options: OAuth2Options, kind: GrantKind): Auth {
  const refs = [options.clientId, options.clientSecret, 'seed' in kind ? kind.seed : undefined];
  return {
    secrets: refs.filter(isSecretRef),
    ...(kind.kind === 'account' ? { perAccount: true } : {}),
    async resolve(asking: Asking): Promise<Credential> {
      const { current, renewalOf } = await import('./late.ts');
      const { name, account } = asking.core;
      // Tokens of the deployment are the same for all accounts.
      const own = kind.kind === 'account' ? account : undefined;
      const key = { connection: name, ...(own === undefined ? {} : { account: own }) };
      const core: Core = own === undefined && account !== undefined ? withoutAccount(asking.core) : asking.core;
      const asked = { ...asking, core };
      const { version, grant, isNew = false } = await current(key, asked, renewalOf(options, kind, asked, checkTokenUrl));
      return { ...bearerOf(version, grant), isOld: !isNew };
    },
  };
}

function bearerOf(version: number, { accessToken = '', metadata = {} }: Grant): Credential {
  const value = `Bearer ${accessToken}`;
  return { headers: { authorization: value }, secrets: [accessToken, value], version: `${version}`, stored: version, metadata };
}

function withoutAccount({ account: _account, ...core }: Core): Core {
  return core;
}

function check(where: string, options: OAuth2Options, fields: readonly string[]): OAuth2Options {
  if (typeof options !== 'object' || options === null) bad(where, 'options', 'must be an object');
  onlyKnown(options, new Set(fields), where);
  const { tokenUrl, clientId, clientSecret, scope, audience, authMethod, extra, keep } = options;
  if (typeof tokenUrl === 'string') checkTokenUrl(tokenUrl, where);
  else if (typeof tokenUrl !== 'function' && typeof (tokenUrl as BaseUrl | undefined)?.variable !== 'string')
    bad(where, 'tokenUrl', "must be a URL such as 'https://auth.example/oauth/token', or vars('name')");
  if (typeof tokenUrl === 'function' && where !== 'oauth2Account')
    bad(where, 'tokenUrl', 'can be a function for accounts alone: oauth2Account()');
  if (!isSecretRef(clientId) && (typeof clientId !== 'string' || clientId === ''))
    bad(where, 'clientId', "must be a text or secret('name')");
  if (clientSecret !== undefined && !isSecretRef(clientSecret))
    bad(where, 'clientSecret', "must be a reference: secret('name'), not the value itself");
  for (const [field, value] of Object.entries({ scope, audience }))
    if (value !== undefined && typeof value !== 'string') bad(where, field, 'must be a text');
  if (authMethod !== undefined && authMethod !== 'basic' && authMethod !== 'body') bad(where, 'authMethod', "must be 'basic' | 'body'");
  if (extra !== undefined && !isTexts(extra)) bad(where, 'extra', 'must be an object of texts');
  if (keep !== undefined && !(Array.isArray(keep) && keep.every((name) => typeof name === 'string' && !/token|secret/i.test(name))))
    bad(where, 'keep', "must be a list of members of the answer that are no secrets, such as ['instance_url']");
  return options;
}

const isTexts = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string');

/** Throws `E_BAD_OPTION`. Handed on, not imported there: what is loaded late must not be what holds this in every bundle. */
function checkTokenUrl(url: string, where: string): string {
  if (typeof url !== 'string' || !URL.canParse(url))
    return bad(where, 'tokenUrl', "is not a URL: write it with its scheme, such as 'https://auth.example/oauth/token'");
  const { protocol, username, password, hash } = new URL(url);
  if (protocol !== 'https:' && protocol !== 'http:') bad(where, 'tokenUrl', `must begin with https://, not ${protocol}//`);
  if (username !== '' || password !== '' || hash !== '') bad(where, 'tokenUrl', 'must have no user, password or fragment');
  return url;
}
