/** Where a connection's API is: a fixed URL, a variable of the stage that is read when it is needed, or one of each account's own. */
import { HoldfastError } from '../engine/errors.ts';
import { bad } from './settings.ts';

export type BaseUrl = { readonly variable: string };
/** The base URL of one account, from its name and the metadata of its stored credential: `(shop) => `https://${shop}.myshopify.com``. */
export type AccountBaseUrl = (account: string, metadata: Readonly<Record<string, string>>) => string;
/** `prefix`: the base URL's own path without a trailing slash. */
export type Base = { readonly origin: string; readonly prefix: string; readonly hostname: string };

/** The stage's variable of that name: `vars('crm')` is the environment variable `HOLDFAST_VAR_CRM`. */
export function vars(name: string): BaseUrl {
  if (typeof name !== 'string' || !/^[A-Za-z][A-Za-z0-9_-]*$/.test(name))
    bad('vars', 'name', `must be letters, digits, - and _, not ${JSON.stringify(name)}`);
  return Object.freeze({ variable: `HOLDFAST_VAR_${name.toUpperCase().replaceAll('-', '_')}` });
}

/** Returns how to get at the base. A text is checked at once (`E_BAD_OPTION`), a variable when it is first read. */
export function baseOf(baseUrl: string | BaseUrl | AccountBaseUrl, where: string, name: string): () => Base {
  // Before a credential is read nobody knows it. RFC 6761: a name that never is one.
  if (typeof baseUrl === 'function') return () => ({ origin: `https://${name}.invalid`, prefix: '', hostname: `${name}.invalid` });
  if (typeof baseUrl === 'string') {
    const base = parseBase(baseUrl, where, 'baseUrl');
    return () => base;
  }
  const variable = (baseUrl as BaseUrl | undefined)?.variable;
  if (typeof variable !== 'string') bad(where, 'baseUrl', "must be a URL such as 'https://api.example', or vars('name')");
  let read: string | undefined;
  let base: Base | undefined;
  return () => {
    const value = process.env[variable];
    if (value === undefined || value === '') {
      throw new HoldfastError(
        'E_BAD_OPTION',
        `${where}: baseUrl is the environment variable ${variable}, which is not set: set it to the API's URL`,
        {
          detail: { field: 'baseUrl', variable },
        },
      );
    }
    if (base === undefined || value !== read) {
      base = parseBase(value, where, `baseUrl (${variable})`);
      read = value;
    }
    return base;
  };
}

/** Throws `E_BAD_OPTION`, whatever the function does. */
export function accountBase(baseUrl: AccountBaseUrl, account: string, metadata: Readonly<Record<string, string>>, where: string): Base {
  const field = `baseUrl of account ${JSON.stringify(account)}`;
  let url: unknown;
  try {
    url = baseUrl(account, metadata);
  } catch (thrown) {
    return bad(where, field, `could not be made: its function threw ${thrown instanceof Error ? thrown.name : 'something'}`);
  }
  if (typeof url !== 'string') return bad(where, field, 'is not a text: its function must return a URL');
  // An account called "evil.example/" would else say where its credential, or ours, is sent.
  if (/[^\w.~ -]/.test(account) && url.includes(account))
    bad(where, field, 'has the account in it as it is, which holds what has a meaning in URLs: write it with encodeURIComponent()');
  return parseBase(url, where, field);
}

function parseBase(text: string, where: string, field: string): Base {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return bad(where, field, "is not a URL: write it with its scheme, such as 'https://api.example'");
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    bad(where, field, `must begin with https:// (or http:// for what \`allow\` opens), not ${url.protocol}//`);
  if (url.username !== '' || url.password !== '') bad(where, field, 'must not contain a user or password: use auth with secret()');
  if (url.search !== '' || url.hash !== '') bad(where, field, 'must not have a query or fragment');
  return { origin: url.origin, prefix: url.pathname.replace(/\/+$/, ''), hostname: url.hostname };
}

/** The path and query of a URL, relative to `base`, for URLs that an API names; `undefined` where it is of another origin or above the base's path. */
export function pathBelow({ origin, prefix }: Base, url: URL): string | undefined {
  const bare = url.username === '' && url.password === '';
  const inside = bare && url.origin === origin && (prefix === '' || url.pathname === prefix || url.pathname.startsWith(`${prefix}/`));
  return inside ? (url.pathname.slice(prefix.length) || '/') + url.search : undefined;
}
