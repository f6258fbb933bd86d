/** Which connection and account a path is about, and who may ask: they belong to no tenant, and a token that has one sees none of them. */
import type { Bearer } from './auth.ts';
import type { ApiDeps } from './deps.ts';
import { Problem } from './problem.ts';
import { PARAMS } from './requests.ts';

type Params = Readonly<Record<string, string>>;

/** Throws `E_REQUEST_INVALID`. */
export function inPath(params: Params, name: 'connection' | 'account'): string {
  const parsed = PARAMS[name]?.schema.safeParse(params[name]);
  if (parsed?.success) return parsed.data as string;
  const message = parsed?.error?.issues[0]?.message ?? 'is invalid';
  throw new Problem('E_REQUEST_INVALID', `the part {${name}} of the path ${message}`, { errors: [{ parameter: name, message }] });
}

/** One that is deployed. Throws `E_REQUEST_INVALID` and `E_UNKNOWN_CONNECTION`, which says which there are. */
export function connectionOf({ connections: { names } }: Pick<ApiDeps, 'connections'>, params: Params): string {
  const name = inPath(params, 'connection');
  if (names.includes(name)) return name;
  const there = names.length === 0 ? 'there is none' : `there are ${names.slice(0, SHOWN_NAMES).join(', ')}`;
  const more = names.length > SHOWN_NAMES ? ` and ${names.length - SHOWN_NAMES} more` : '';
  throw new Problem('E_UNKNOWN_CONNECTION', `no connection ${JSON.stringify(name)} is deployed: ${there}${more}`);
}

const SHOWN_NAMES = 20;

/** Throws `E_FORBIDDEN`. */
export function forAllTenants(bearer: Bearer): void {
  if (bearer.tenant === undefined) return;
  throw new Problem(
    'E_FORBIDDEN',
    `connections and accounts belong to no tenant, and the token "${bearer.name}" is for ${bearer.tenant} alone: use one without a tenant`,
  );
}
