/** A connection as calls see it: its options checked once and turned into what every call needs. */
import type { AdmissionKey, Limit } from '../engine/admission-ports.ts';
import type { Effect } from '../engine/operation.ts';
import { type Auth, isAuth } from './auth/auth.ts';
import { type AccountBaseUrl, accountBase, type Base, baseOf } from './base-url.ts';
import { type Allowed, compileAllow } from './guard/guard.ts';
import { isSendableHeader, reservedHeader } from './headers.ts';
import { concurrencyOf, onErrorOf, ratesOf } from './limits.ts';
import type { ConnectionOptions, RouteOptions } from './options.ts';
import type { Paging } from './paging/paging.ts';
import { pathPattern } from './path.ts';
import { lent } from './profile.ts';
import { bad, COMMON_FIELDS, DEFAULTS, onlyKnown, positive, type Settings, settle } from './settings.ts';

export type Route = {
  readonly method?: string;
  matches(path: string): boolean;
  readonly settings: Settings;
  /** What it says over what lies beneath it: a profile's route. */
  over(base: Settings): Settings;
};

/** In a header, or in a field of the JSON body. */
export type IdempotencyKey = { readonly ttl: number } & (
  | { readonly header: string; readonly quoted: boolean }
  | { readonly field: string }
);

/** What reads replies for this API. */
export type Judge = Pick<
  ConnectionOptions,
  'successWhen' | 'inFlightWhen' | 'unavailableMeansUntouched' | 'hint' | 'shouldRetry' | 'readError'
>;

export type Core = {
  readonly name: string;
  readonly account?: string;
  /** `crm` or `crm@account`: in identities and labels. */
  readonly id: string;
  /** As far as it is known without a credential. */
  base(): Base;
  /** Where the call is sent. Throws `E_BAD_OPTION`. */
  baseFor(metadata: Readonly<Record<string, string>>): Base;
  readonly auth?: Auth;
  /** Calls need `.for(account)`: the credential or the base URL is of an account. */
  readonly perAccount: boolean;
  readonly settings: Settings;
  readonly routes: readonly Route[];
  /** Of its profile, beneath `routes`. */
  readonly profiled: readonly Route[];
  readonly idempotencyKey?: IdempotencyKey;
  readonly allowed: Allowed;
  readonly connectTimeout: number;
  /** For each account by itself: admission counts by (connection, account). */
  readonly rateLimits: readonly Limit[];
  /** 0: any number. */
  readonly concurrency: number;
  readonly onAdmissionError: 'wait' | 'local';
  /** Under which its limits are kept. */
  readonly admissionKey: AdmissionKey;
  readonly paging?: Paging;
  readonly accountUrl?: AccountBaseUrl;
  /** The path of its GraphQL. */
  readonly graphql: string;
  readonly judge: Judge;
};

/** Kept by the store in a key of at most 1,024 bytes. */
const ACCOUNT = /^[ -~\u00a0-\uffff]{1,256}$/;
const NAME = /^[a-z][a-z0-9-]{0,63}$/;
const ROUTE_FIELDS = new Set<string>([...COMMON_FIELDS, 'method', 'path']);
const CONNECTION_FIELDS = new Set<string>([
  ...COMMON_FIELDS,
  'name',
  'baseUrl',
  'auth',
  'idempotencyKey',
  'rateLimit',
  'concurrency',
  'onAdmissionError',
  'allow',
  'routes',
  'connectTimeout',
  'successWhen',
  'inFlightWhen',
  'unavailableMeansUntouched',
  'paging',
  'profile',
  'hint',
  'shouldRetry',
  'readError',
  'graphql',
]);

/** Throws `E_BAD_OPTION` or `E_BAD_DURATION`, naming connection and field. */
export function makeCore(given: ConnectionOptions): Core {
  if (typeof given !== 'object' || given === null) bad('connection', 'options', 'must be an object');
  const { name, auth, profile } = given;
  const where = `connection ${JSON.stringify(name)}`;
  if (typeof name !== 'string' || !NAME.test(name))
    bad(where, 'name', 'must be 1–64 characters of a–z, 0–9 and "-", beginning with a letter');
  onlyKnown(given, CONNECTION_FIELDS, where);
  if (profile !== undefined && typeof profile?.title !== 'string')
    bad(where, 'profile', 'must be one of holdfast/profiles, or an object of their form');
  if (profile !== undefined) onlyKnown(lent(profile), CONNECTION_FIELDS, `${where}: profile`);
  const options: ConnectionOptions = profile === undefined ? given : { ...lent(profile), ...given };
  if (auth !== undefined && !isAuth(auth))
    bad(where, 'auth', "must be made by bearer(), basic(), header(), query(), sign() or oauth2…(), with secret('name')");
  const settings = settle(profile === undefined ? DEFAULTS : settle(DEFAULTS, profile, `${where}: profile`), given, where);
  const key = options.idempotencyKey === undefined ? undefined : keyOf(options.idempotencyKey, where);
  checkKeyed(settings, key, where);
  const rateLimits = ratesOf(options.rateLimit, where);
  checkWeight(settings, rateLimits, where);
  const { paging, unavailableMeansUntouched: untouched } = options;
  if (paging !== undefined && typeof paging?.walk !== 'function')
    bad(where, 'paging', 'must be byLink(), byCursor(…) or another of their kin');
  if (untouched !== undefined && typeof untouched !== 'boolean') bad(where, 'unavailableMeansUntouched', 'must be true or false');
  if (options.graphql !== undefined && typeof options.graphql !== 'string') bad(where, 'graphql', "must be a path such as '/graphql'");
  for (const field of ['successWhen', 'inFlightWhen', 'hint', 'shouldRetry', 'readError'] as const) {
    if (options[field] !== undefined && typeof options[field] !== 'function') bad(where, field, 'must be a function of the reply');
  }
  const base = baseOf(options.baseUrl, where, name);
  return {
    name,
    id: name,
    base,
    baseFor: base,
    perAccount: auth?.perAccount === true || typeof options.baseUrl === 'function',
    ...(auth === undefined ? {} : { auth }),
    settings,
    routes: routesOf(given.routes, settings, { key, rateLimits }, where),
    profiled: routesOf(profile?.routes, settings, { key, rateLimits }, `${where}: profile`),
    ...(key === undefined ? {} : { idempotencyKey: key }),
    allowed: compileAllow(options.allow ?? [], where),
    connectTimeout: options.connectTimeout === undefined ? 3_000 : positive(options.connectTimeout, where, 'connectTimeout'),
    rateLimits,
    concurrency: concurrencyOf(options.concurrency, where),
    onAdmissionError: onErrorOf(options.onAdmissionError, where),
    admissionKey: { connection: name },
    ...(paging === undefined ? {} : { paging }),
    graphql: options.graphql ?? '/graphql',
    judge: options,
    ...(typeof options.baseUrl === 'function' ? { accountUrl: options.baseUrl } : {}),
  };
}

export function forAccount(core: Core, account: string): Core {
  const where = `connection "${core.name}"`;
  if (typeof account !== 'string' || !ACCOUNT.test(account) || !account.isWellFormed())
    bad(where, 'for(account)', 'must be a text of 1–256 characters without control characters');
  const { accountUrl } = core;
  return {
    ...core,
    account,
    admissionKey: { connection: core.name, account },
    id: `${core.name}@${encodeURIComponent(account)}`,
    ...(accountUrl === undefined ? {} : { baseFor: (metadata) => accountBase(accountUrl, account, metadata, where) }),
  };
}

/** Throws `E_BAD_OPTION` for a call of a connection that is one account's, made without saying whose. */
export function checkAccount({ name, account, perAccount }: Core): void {
  if (perAccount && account === undefined)
    bad(`connection "${name}"`, 'account', `is missing: make its calls through ${name}.for(account), which has the credential and the URL`);
}

/** The nearer one counts, field by field: the first route that matches, then the profile's, then the connection, then the profile itself. */
export function settingsFor(core: Core, method: string, path: string): Settings {
  const first = (routes: readonly Route[]) =>
    routes.find((route) => (route.method === undefined || route.method === method) && route.matches(path));
  const beneath = core.profiled.length === 0 ? undefined : first(core.profiled);
  const route = first(core.routes);
  if (route === undefined) return beneath?.settings ?? core.settings;
  return beneath === undefined ? route.settings : route.over(beneath.settings);
}

/** RFC 9110, section 9.2; POST and PATCH are repeatable where the API honours a key. */
export function effectOf(core: Core, settings: Settings, method: string, where: string): Effect {
  checkKeyed(settings, core.idempotencyKey, where);
  checkWeight(settings, core.rateLimits, where);
  if (settings.effects !== undefined) return settings.effects;
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'OPTIONS':
      return 'safe';
    case 'PUT':
    case 'DELETE':
      return 'idempotent';
    default:
      return core.idempotencyKey === undefined ? 'unsafe' : 'keyed';
  }
}

function checkKeyed(settings: Settings, key: IdempotencyKey | undefined, where: string): void {
  if (settings.effects === 'keyed' && key === undefined) bad(where, 'effects', "cannot be 'keyed': the connection has no idempotencyKey");
}

/** Heavier than a limit it would wait for ever. */
function checkWeight({ weight }: Settings, limits: Core['rateLimits'], where: string): void {
  if (weight === 1) return;
  for (const { requests } of limits) {
    if (weight > requests)
      bad(where, 'weight', `must be at most ${requests}, the requests of a rateLimit, not ${weight}: it would never be sent`);
  }
}

type Bounds = { readonly key: IdempotencyKey | undefined; readonly rateLimits: Core['rateLimits'] };

function routesOf(routes: readonly RouteOptions[] | undefined, base: Settings, { key, rateLimits }: Bounds, where: string): Route[] {
  if (routes === undefined) return [];
  if (!Array.isArray(routes)) bad(where, 'routes', 'must be a list');
  return routes.map((route, index) => {
    const here = `${where}: routes[${index}]`;
    onlyKnown(route, ROUTE_FIELDS, here);
    if (typeof route.path !== 'string' || !/^(\/|\*)/.test(route.path))
      bad(here, 'path', "must be a pattern such as '/users/:id' or '/files/*'");
    if (route.method !== undefined && !/^[A-Za-z]+$/.test(String(route.method))) bad(here, 'method', "must be a method such as 'POST'");
    const over = (beneath: Settings) => settle(beneath, route, here);
    const settings = over(base);
    checkKeyed(settings, key, here);
    checkWeight(settings, rateLimits, here);
    return {
      ...(route.method === undefined ? {} : { method: route.method.toUpperCase() }),
      matches: pathPattern(route.path),
      settings,
      over,
    };
  });
}

function keyOf(key: NonNullable<ConnectionOptions['idempotencyKey']>, where: string): IdempotencyKey {
  if (typeof key !== 'object' || key === null) bad(where, 'idempotencyKey', "must be an object such as { header: 'Idempotency-Key' }");
  onlyKnown(key, new Set(['header', 'field', 'format', 'ttl']), `${where}: idempotencyKey`);
  const ttl = positive(key.ttl ?? '23h', where, 'idempotencyKey.ttl');
  if (key.field !== undefined) {
    if (typeof key.field !== 'string' || key.field === '')
      bad(where, 'idempotencyKey.field', "must be a field's name such as 'idempotency_key'");
    if (key.header !== undefined || key.format !== undefined) bad(where, 'idempotencyKey.field', 'cannot be given beside header or format');
    return { field: key.field, ttl };
  }
  const header = String(key.header).toLowerCase();
  if (typeof key.header !== 'string' || !isSendableHeader(header, '') || reservedHeader(header)) {
    bad(where, 'idempotencyKey.header', "must be a header's name such as 'Idempotency-Key'");
  }
  const format = key.format ?? 'raw';
  if (format !== 'raw' && format !== 'quoted') bad(where, 'idempotencyKey.format', "must be 'raw' or 'quoted'");
  return { header, quoted: format === 'quoted', ttl };
}
