/** Checks options, once, and turns them into the numbers and lists that calls work with. Throws `E_BAD_OPTION` with connection and field. */
import { type Duration, milliseconds } from '../engine/duration.ts';
import { HoldfastError } from '../engine/errors.ts';
import type { Effect } from '../engine/operation.ts';
import { isSendableHeader, reservedHeader } from './headers.ts';
import type { Arrays, CommonOptions, OnUnknown, Redirects, RetryOptions, TimeLimits } from './options.ts';
import { type JsonPath, jsonPathsOf } from './secrecy/json-paths.ts';
import { isReconcile } from './unknown.ts';

export type Limits = {
  readonly total: number;
  readonly headers: number;
  readonly idle: number;
  readonly minRate: number;
  readonly maxBody: number;
};

export type RetryPolicy = {
  readonly attempts: number;
  readonly throttles: number;
  readonly deadline: number;
  readonly schedule?: readonly number[];
};

/** Common options with nothing left open. */
export type Settings = {
  readonly headers: Readonly<Record<string, string>>;
  readonly arrays: Arrays;
  readonly acceptStatus: ReadonlySet<number>;
  readonly effects?: Effect;
  readonly limits: Limits;
  readonly retry: RetryPolicy;
  readonly onUnknown: OnUnknown;
  readonly redirects: Redirects;
  readonly onTruncated: 'reply' | 'fail';
  readonly streaming?: boolean;
  /** Absent: it is shown. */
  readonly hidePath?: true;
  /** Absent: nothing. */
  readonly encrypt?: readonly JsonPath[];
  readonly goneIsDone: ReadonlySet<number>;
  /** As how many requests it counts. */
  readonly weight: number;
};

export const DEFAULTS: Settings = Object.freeze({
  headers: Object.freeze({}),
  arrays: 'repeat',
  acceptStatus: new Set<number>(),
  limits: Object.freeze({ total: 30_000, headers: 15_000, idle: 5_000, minRate: 1_024, maxBody: 10_000_000 }),
  retry: Object.freeze({ attempts: 6, throttles: 100, deadline: 24 * 3_600_000 }),
  onUnknown: 'pause',
  redirects: 'error',
  onTruncated: 'reply',
  goneIsDone: new Set<number>(),
  weight: 1,
});

export const COMMON_FIELDS = [
  'headers',
  'arrays',
  'acceptStatus',
  'effects',
  'timeout',
  'retry',
  'onUnknown',
  'redirects',
  'streaming',
  'maxBody',
  'onTruncated',
  'encrypt',
  'hidePath',
  'goneIsDone',
  'weight',
] as const satisfies readonly (keyof CommonOptions)[];

/** `where`: the owner for errors, such as `connection "crm"`. */
export function bad(where: string, field: string, problem: string): never {
  throw new HoldfastError('E_BAD_OPTION', `${where}: ${field} ${problem}`, { detail: { field } });
}

export function onlyKnown(options: object, known: ReadonlySet<string>, where: string): void {
  for (const field in options) {
    if (!known.has(field)) bad(where, field, `is not an option; there are ${[...known].join(', ')}`);
  }
}

const COMMON: ReadonlySet<string> = new Set(COMMON_FIELDS);

/** Most calls say nothing of their own. */
function saysSomething(options: CommonOptions): boolean {
  for (const field in options) {
    if (COMMON.has(field) && options[field as keyof CommonOptions] !== undefined) return true;
  }
  return false;
}

/** `options` over `base`. Returns `base` itself when there is nothing to change. */
export function settle(base: Settings, options: CommonOptions, where: string): Settings {
  if (!saysSomething(options)) return base;
  const effects = options.effects ?? base.effects;
  const streaming = options.streaming ?? base.streaming;
  return {
    headers: options.headers === undefined ? base.headers : { ...base.headers, ...headersOf(options.headers, where) },
    arrays: oneOf(options.arrays ?? base.arrays, ['repeat', 'comma', 'brackets'], where, 'arrays'),
    acceptStatus: options.acceptStatus === undefined ? base.acceptStatus : statusesOf(options.acceptStatus, where, 'acceptStatus'),
    ...(effects === undefined ? {} : { effects: oneOf(effects, ['safe', 'idempotent', 'keyed', 'unsafe'], where, 'effects') }),
    ...(streaming === undefined ? {} : { streaming: oneOf(streaming, [true, false], where, 'streaming') }),
    limits: limitsOf(base.limits, options, where),
    retry: options.retry === undefined ? base.retry : retryOf(base.retry, options.retry, where),
    onUnknown: isReconcile(options.onUnknown)
      ? options.onUnknown
      : oneOf(options.onUnknown ?? base.onUnknown, ['pause', 'throw', 'retry'], where, 'onUnknown', ', or reconcile(fn)'),
    redirects: oneOf(options.redirects ?? base.redirects, ['error', 'follow'], where, 'redirects'),
    onTruncated: oneOf(options.onTruncated ?? base.onTruncated, ['reply', 'fail'], where, 'onTruncated'),
    ...encryptOf(base.encrypt, options.encrypt, where),
    ...(oneOf(options.hidePath ?? base.hidePath ?? false, [true, false], where, 'hidePath') ? { hidePath: true } : {}),
    goneIsDone: options.goneIsDone === undefined ? base.goneIsDone : goneOf(options.goneIsDone, where),
    weight: options.weight === undefined ? base.weight : wholeNumber(options.weight, 1, where, 'weight'),
  };
}

/** They add up: what a connection protects, no call can lay open. */
function encryptOf(base: Settings['encrypt'], paths: unknown, where: string): Pick<Settings, 'encrypt'> {
  const all = [...(base ?? []), ...(paths === undefined ? [] : jsonPathsOf(paths, where, 'encrypt'))];
  return all.length === 0 ? {} : { encrypt: all };
}

export function wholeNumber(value: unknown, least: number, where: string, field: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < least) bad(where, field, `must be a whole number ≥ ${least}, not ${show(value)}`);
  return value as number;
}

export function headersOf(headers: unknown, where: string): Record<string, string> {
  if (headers === null || typeof headers !== 'object') bad(where, 'headers', 'must be an object of texts');
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers as object)) {
    const lower = name.toLowerCase();
    if (reservedHeader(lower)) bad(where, `headers.${name}`, 'is set by Holdfast and cannot be given');
    if (!isSendableHeader(lower, value))
      bad(where, `headers.${name}`, 'is not a valid header: use a token as name and a one-line latin-1 text as value');
    result[lower] = value as string;
  }
  return result;
}

function oneOf<T>(value: T, allowed: readonly T[], where: string, field: string, more = ''): T {
  if (isReconcile(value) && more !== '') return value;
  if (!allowed.includes(value))
    bad(where, field, `must be ${allowed.map((one) => `'${String(one)}'`).join(' | ')}${more}, not ${show(value)}`);
  return value;
}

function goneOf(gone: unknown, where: string): ReadonlySet<number> {
  if (typeof gone === 'boolean') return new Set(gone ? [404, 410, 412] : []);
  return statusesOf(gone, where, 'goneIsDone');
}

function statusesOf(statuses: unknown, where: string, field: string): ReadonlySet<number> {
  if (!Array.isArray(statuses))
    bad(where, field, `must be a list of statuses such as ${field === 'goneIsDone' ? '[404, 410], or true' : '[404, 409]'}`);
  for (const status of statuses as unknown[]) {
    if (!Number.isInteger(status) || (status as number) < 200 || (status as number) > 599)
      bad(where, field, `has ${show(status)}, which is no final HTTP status`);
  }
  return new Set(statuses as number[]);
}

function limitsOf(base: Limits, options: CommonOptions, where: string): Limits {
  const { timeout, maxBody } = options;
  const cap = maxBody === undefined ? base.maxBody : wholeNumber(maxBody, 1, where, 'maxBody');
  if (timeout === undefined) return { ...base, maxBody: cap };
  // Who grants an attempt two minutes does not mean that a reply which takes twenty seconds to begin is given up: an unsafe one would be unknown.
  const given: TimeLimits =
    typeof timeout === 'object' && timeout !== null ? timeout : { total: timeout as Duration, headers: timeout as Duration };
  onlyKnown(given, new Set(['total', 'headers', 'idle', 'minRate']), `${where}: timeout`);
  const total = given.total === undefined ? base.total : positive(given.total, where, 'timeout');
  return {
    total,
    headers: given.headers === undefined ? base.headers : positive(given.headers, where, 'timeout.headers'),
    idle: given.idle === undefined ? base.idle : positive(given.idle, where, 'timeout.idle'),
    minRate: given.minRate === undefined ? base.minRate : wholeNumber(given.minRate, 0, where, 'timeout.minRate'),
    maxBody: cap,
  };
}

export function positive(duration: Duration, where: string, field: string): number {
  const ms = milliseconds(duration, `${where}: ${field}`);
  if (ms === 0) bad(where, field, 'must be longer than 0');
  return ms;
}

function retryOf(base: RetryPolicy, retry: RetryOptions, where: string): RetryPolicy {
  if (retry === null || typeof retry !== 'object') bad(where, 'retry', 'must be an object such as { attempts: 6, deadline: "24h" }');
  onlyKnown(retry, new Set(['attempts', 'throttles', 'deadline', 'schedule']), `${where}: retry`);
  if (retry.schedule !== undefined && (!Array.isArray(retry.schedule) || retry.schedule.length === 0)) {
    bad(where, 'retry.schedule', "must be a list of durations such as ['5s', '5m', '30m']");
  }
  const schedule = retry.schedule?.map((wait, index) => milliseconds(wait, `${where}: retry.schedule[${index}]`)) ?? base.schedule;
  const attempts = retry.attempts ?? (retry.schedule === undefined ? base.attempts : retry.schedule.length + 1);
  return {
    attempts: wholeNumber(attempts, 1, where, 'retry.attempts'),
    throttles: wholeNumber(retry.throttles ?? base.throttles, 0, where, 'retry.throttles'),
    deadline: retry.deadline === undefined ? base.deadline : milliseconds(retry.deadline, `${where}: retry.deadline`),
    ...(schedule === undefined ? {} : { schedule }),
  };
}

const show = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : String(value));
