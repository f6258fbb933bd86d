/** What is sent to a token endpoint for each grant, and what its refusals mean. Loaded with the first token that is asked for. */
import type { Grant } from '../../engine/credential-ports.ts';
import { bad } from '../settings.ts';
import type { Asking } from './auth.ts';
import type { GrantKind, OAuth2Options } from './oauth.ts';
import { isSecretRef, type SecretRef } from './secrets.ts';
import { requestToken, type TokenAnswer, TokenRefused, unusable } from './token-endpoint.ts';
import { type Renewal, type Renewed, Revoked } from './tokens.ts';

/** Of a refresh token, not of the client: there is no use in asking again. */
const REVOKED = new Set(['invalid_grant']);

type Check = (url: string, where: string) => string;

export function renewalOf(options: OAuth2Options, kind: GrantKind, asking: Asking, check: Check): Renewal {
  switch (kind.kind) {
    case 'client_credentials':
      return { unaided: true, renew: async (_, until) => renewed({}, await ask({ grant_type: 'client_credentials' }, until)) };
    case 'account':
      return { unaided: false, renew: (grant, until) => refresh(grant ?? {}, {}, until) };
    case 'refresh_token': {
      const { seed } = kind;
      return {
        unaided: true,
        remedy: `put a new refresh token into the secret "${seed.secret}" and resume the run`,
        isOutdated: async (grant) => grant.seed !== (await fingerprint(seed)).seed,
        async renew(grant, until) {
          const first = await fingerprint(seed);
          return refresh(grant ?? { refreshToken: first.value }, { seed: first.seed }, until);
        },
      };
    }
  }

  async function refresh(grant: Grant, kept: Grant, until: number): Promise<Renewed> {
    const { refreshToken = '' } = grant;
    try {
      return renewed({ ...grant, ...kept }, await ask({ grant_type: 'refresh_token', refresh_token: refreshToken }, until, grant));
    } catch (error) {
      if (error instanceof TokenRefused && REVOKED.has(error.code)) throw new Revoked(kept);
      throw error;
    }
  }

  async function ask(grantForm: Record<string, string>, until: number, grant: Grant = {}): Promise<TokenAnswer> {
    const { scope, audience, extra = {}, authMethod = 'basic', keep = [] } = options;
    const about = { ...(scope === undefined ? {} : { scope }), ...(audience === undefined ? {} : { audience }) };
    const url = urlOf(options.tokenUrl, asking, grant, check);
    const form = { ...extra, ...grantForm, ...about };
    const send = async (fresh: boolean) => {
      const value = (ref: SecretRef) => asking.http.secrets.get(ref.secret, fresh ? { fresh } : undefined);
      const { clientId: id, clientSecret: secret } = options;
      const clientId = isSecretRef(id) ? await value(id) : id;
      const clientSecret = secret === undefined ? {} : { clientSecret: await value(secret) };
      return requestToken(asking, { url, form, clientId, ...clientSecret, authMethod, keep, until });
    };
    try {
      return await send(false).catch((error: unknown) => {
        // The secret may have been replaced since it was read.
        if (error instanceof TokenRefused && error.code === 'invalid_client') return send(true);
        throw error;
      });
    } catch (error) {
      const isGrants = error instanceof TokenRefused && REVOKED.has(error.code) && 'refresh_token' in grantForm;
      if (!(error instanceof TokenRefused) || isGrants) throw error;
      if (error.code === 'invalid_client')
        return unusable(asking, 'clientSecret', 'its token endpoint does not take the client (invalid_client)');
      return unusable(asking, 'tokenUrl', `its token endpoint answers ${error.code}`);
    }
  }

  async function fingerprint(ref: SecretRef): Promise<{ value: string; seed: string }> {
    const value = await asking.http.secrets.get(ref.secret);
    return { value, seed: (await asking.http.sign(`refresh token ${value}`)).slice(0, 16) };
  }
}

function renewed(grant: Grant, { accessToken, refreshToken = grant.refreshToken, metadata, validUntil }: TokenAnswer): Renewed {
  const { accessToken: _, ...rest } = grant;
  return {
    grant: { ...rest, accessToken, ...(refreshToken === undefined ? {} : { refreshToken }), metadata: { ...grant.metadata, ...metadata } },
    ...(validUntil === undefined ? {} : { validUntil }),
  };
}

function urlOf(tokenUrl: OAuth2Options['tokenUrl'], { core }: Asking, { metadata = {} }: Grant, check: Check): string {
  const where = `connection "${core.name}"`;
  if (typeof tokenUrl === 'string') return tokenUrl;
  if (typeof tokenUrl !== 'function') {
    const value = process.env[tokenUrl.variable];
    if (!value)
      bad(where, 'tokenUrl', `is the environment variable ${tokenUrl.variable}, which is not set: set it to the token endpoint's URL`);
    return check(value as string, where);
  }
  let url: string;
  try {
    url = tokenUrl(core.account ?? '', metadata);
  } catch {
    return bad(where, 'tokenUrl', `could not be made for account ${JSON.stringify(core.account)}: its function threw`);
  }
  return check(url, where);
}
