/** The HTTP API as the commands use it: a request, its answer as JSON, and errors that say what was asked, what came back, what to do. */
import { CliError, EXIT } from './errors.ts';

export type Query = Readonly<Record<string, string | number | undefined>>;

type SendOptions = { headers?: Record<string, string | undefined>; timeoutMs?: number };

export type Api = {
  readonly url: string;
  get<T>(path: string, query?: Query, options?: { timeoutMs?: number }): Promise<T>;
  post<T>(path: string, body?: unknown, options?: SendOptions): Promise<T>;
  put<T>(path: string, body: unknown): Promise<T>;
  delete(path: string): Promise<void>;
};

export type ApiOptions = {
  url: string;
  token: string | undefined;
  stage: string;
};

/** API Gateway gives up after 29 s. */
const TIMEOUT_MS = 30_000;

/** What an error of the API means to whoever asked. */
const REMEDIES: Readonly<Record<string, string>> = {
  E_UNKNOWN_WORKFLOW: 'List it in workflows/index.ts and deploy, or correct its name',
  E_NOT_HELD: 'See what stops it: npx holdfast connections <connection>',
  E_UNKNOWN_CONNECTION: 'See what there is: npx holdfast connections. One that is new has to be deployed first',
  E_UNKNOWN_CREDENTIAL: 'See what there is: npx holdfast credential list <connection>',
  E_UNKNOWN_RUN: 'See what there is: npx holdfast runs',
  E_KEY_CONFLICT: 'Use another --key, or send the same input',
};

export function apiClient({ url, token, stage }: ApiOptions): Api {
  async function request(method: string, path: string, init: RequestInit & { query?: Query; timeoutMs?: number | undefined } = {}) {
    const { query = {}, timeoutMs = TIMEOUT_MS, headers, ...rest } = init;
    const given = Object.entries(query).flatMap(([name, value]): [string, string][] =>
      value === undefined ? [] : [[name, String(value)]],
    );
    const target = `${url}${path}${given.length === 0 ? '' : `?${new URLSearchParams(given)}`}`;
    const what = `${method} ${target}`;
    let response: Response;
    let text: string;
    try {
      response = await fetch(target, {
        ...rest,
        method,
        headers: { accept: 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
        signal: AbortSignal.timeout(timeoutMs),
      });
      text = await response.text();
    } catch (error) {
      throw unreachable(what, error as Error, { stage, timeoutMs });
    }
    if (!response.ok) throw refused(what, response.status, text, { stage, hasToken: token !== undefined });
    if (text === '') return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw new CliError(EXIT.unreachable, `${what} answered ${response.status}, but not with JSON: ${text.slice(0, 200)}`, {
        remedy: 'Is --url (HOLDFAST_URL) really that of a Holdfast API?',
      });
    }
  }

  function send(method: 'POST' | 'PUT', path: string, body: unknown, { headers: given = {}, timeoutMs }: SendOptions = {}) {
    const headers = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Record<string, string>;
    return request(method, path, {
      timeoutMs,
      headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  return {
    url,
    get: async <T>(path: string, query?: Query, options: { timeoutMs?: number } = {}) =>
      (await request('GET', path, { ...(query === undefined ? {} : { query }), ...options })) as T,
    post: async <T>(path: string, body?: unknown, options: SendOptions = {}) => (await send('POST', path, body, options)) as T,
    put: async <T>(path: string, body: unknown) => (await send('PUT', path, body)) as T,
    delete: async (path) => void (await request('DELETE', path)),
  };
}

function unreachable(what: string, error: Error, about: { stage: string; timeoutMs: number }): CliError {
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  const late = error.name === 'TimeoutError';
  const why = late ? `no answer within ${about.timeoutMs / 1000} s` : (cause?.code ?? cause?.message ?? error.message);
  return new CliError(EXIT.unreachable, `${what}: ${late ? why : `cannot be reached (${why})`}`, {
    remedy:
      about.stage === 'local'
        ? 'Start it: npx holdfast dev. On another port: --url or HOLDFAST_URL'
        : `See what is wrong: npx holdfast doctor --stage ${about.stage}`,
    cause: error,
  });
}

type ProblemBody = {
  code?: string;
  detail?: string;
  title?: string;
  errors?: Array<{ message: string; pointer?: string; parameter?: string }>;
};

function refused(what: string, status: number, text: string, about: { stage: string; hasToken: boolean }): CliError {
  const problem = problemOf(text);
  const said = problem?.code === undefined ? text.slice(0, 300) : `${problem.code}: ${problem.detail ?? problem.title}`;
  const data = { status, ...(problem ?? {}) };
  if (status === 401 || status === 403) {
    const remedy = about.hasToken
      ? `Give another with --token or HOLDFAST_TOKEN, or make one: npx holdfast token create --stage ${about.stage} --name me`
      : `Give a token with --token or HOLDFAST_TOKEN; make one: npx holdfast token create --stage ${about.stage} --name me`;
    return new CliError(EXIT.unreachable, `${what} answered ${status}: ${said}`, { remedy, data });
  }
  if (problem?.code === undefined || status >= 500) {
    return new CliError(EXIT.unreachable, `${what} answered ${status}: ${said || 'nothing'}`, {
      remedy:
        problem?.code === undefined
          ? 'Is --url (HOLDFAST_URL) really that of a Holdfast API?'
          : 'Try again; the log of the function api says more',
      data,
    });
  }
  const fields = (problem.errors ?? []).slice(1).map(({ message, pointer, parameter }) => `\n  ${pointer ?? parameter ?? ''} ${message}`);
  return new CliError(status === 400 ? EXIT.usage : EXIT.failed, `${said}${fields.join('')}`, { remedy: REMEDIES[problem.code], data });
}

function problemOf(text: string): ProblemBody | undefined {
  try {
    const body = JSON.parse(text) as unknown;
    return typeof body === 'object' && body !== null ? (body as ProblemBody) : undefined;
  } catch {
    return undefined;
  }
}
