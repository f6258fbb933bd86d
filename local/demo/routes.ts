/** What the demo APIs offer, and where it lies in json-server. Knows nothing of sockets and faults. */
import type { Row } from './state.ts';
import { shorten } from './summary.ts';

export type Api = 'crm' | 'billing' | 'mailer' | 'registry' | 'summariser';
export const APIS: readonly Api[] = ['crm', 'billing', 'mailer', 'registry', 'summariser'];

export type Answer = { status: number; body: unknown };

export type Route = {
  api: Api;
  method: 'GET' | 'POST';
  /** Matched against the path without the API's prefix; the first group is handed to `upstream`. */
  path: RegExp;
  upstream(id: string, query: URLSearchParams): string;
  /** POST: the fields that must be there, and where the row goes. */
  creates?: { collection: string; needs: readonly string[]; keyed: boolean };
  /** POST that keeps nothing: the answer comes from the body alone. */
  computes?(body: unknown): Answer;
  /** json-server's answer as this API gives it. */
  shape?(answer: Answer): Answer;
};

const ROUTES: readonly Route[] = [
  {
    api: 'crm',
    method: 'GET',
    path: /^\/companies$/,
    // A cursor is json-server's number of a page; who follows it need not know.
    upstream: (_, query) =>
      `/companies?${new URLSearchParams({ _page: query.get('after') ?? '1', _per_page: String(pageSize(query.get('limit'))) })}`,
    shape: ({ status, body }) => {
      const { data, next } = body as { data: unknown; next: number | null };
      return { status, body: { items: publicPart(data), next: next === null ? null : String(next) } };
    },
  },
  {
    api: 'crm',
    method: 'POST',
    path: /^\/companies$/,
    upstream: () => '/companies',
    creates: { collection: 'companies', needs: ['name', 'domain'], keyed: true },
  },
  {
    api: 'crm',
    method: 'GET',
    path: /^\/companies\/([^/]+)$/,
    upstream: (domain) => `/companies?${new URLSearchParams({ domain })}`,
    shape: ({ status, body }) => only(status, body, 'Not Found'),
  },
  { api: 'crm', method: 'GET', path: /^\/users\/([^/]+)\/usage$/, upstream: (user) => `/usage/${user}` },
  {
    api: 'crm',
    method: 'POST',
    path: /^\/notes$/,
    upstream: () => '/notes',
    creates: { collection: 'notes', needs: ['domain', 'text'], keyed: true },
  },
  {
    api: 'crm',
    method: 'POST',
    path: /^\/profiles$/,
    upstream: () => '/profiles',
    creates: { collection: 'profiles', needs: ['domain', 'night'], keyed: true },
  },
  { api: 'registry', method: 'GET', path: /^\/companies\/([^/]+)$/, upstream: (domain) => `/register/${domain}` },
  { api: 'summariser', method: 'POST', path: /^\/summaries$/, upstream: () => '', computes: shorten },
  {
    api: 'billing',
    method: 'GET',
    path: /^\/accounts$/,
    upstream: (_, query) => `/accounts?${new URLSearchParams({ domain: query.get('domain') ?? '' })}`,
    shape: ({ status, body }) => only(status, body, 'no such account'),
  },
  {
    api: 'billing',
    method: 'POST',
    path: /^\/accounts$/,
    upstream: () => '/accounts',
    creates: { collection: 'accounts', needs: ['name', 'domain', 'seats'], keyed: true },
  },
  {
    api: 'mailer',
    method: 'GET',
    path: /^\/messages$/,
    upstream: (_, query) => `/messages?${new URLSearchParams({ reference: query.get('reference') ?? '' })}`,
    shape: ({ status, body }) => ({ status, body: { items: body } }),
  },
  {
    api: 'mailer',
    method: 'POST',
    path: /^\/messages$/,
    upstream: () => '/messages',
    // This API knows no idempotency keys: sent twice is delivered twice.
    creates: { collection: 'messages', needs: ['to', 'text', 'reference'], keyed: false },
  },
];

/** Found by a field that no other has: a single thing that is there or not. */
function only(status: number, body: unknown, error: string): Answer {
  const first = Array.isArray(body) ? body[0] : undefined;
  return first === undefined ? { status: 404, body: { error } } : { status, body: first };
}

function pageSize(limit: string | null): number {
  return Math.min(100, Math.max(1, Number.parseInt(limit ?? '', 10) || 25));
}

export type Found = { route: Route; upstream: string } | { problem: Answer; allow?: string };

export function findRoute(api: Api, method: string, path: string, query: URLSearchParams): Found {
  const here = ROUTES.filter((route) => route.api === api && route.path.test(path));
  const route = here.find((candidate) => candidate.method === method);
  if (route) return { route, upstream: route.upstream(route.path.exec(path)?.[1] ?? '', query) };
  if (here.length === 0) return { problem: { status: 404, body: { error: `${api} has no ${path}` } } };
  const allow = here.map((candidate) => candidate.method).join(', ');
  return { problem: { status: 405, body: { error: `use ${allow}` } }, allow };
}

/** Fields that begin with `_` are the server's own. */
export function publicPart(body: unknown): unknown {
  if (Array.isArray(body)) return body.map(publicPart);
  if (typeof body !== 'object' || body === null) return body;
  return Object.fromEntries(Object.entries(body as Row).filter(([name]) => !name.startsWith('_')));
}

export function missingField(needs: readonly string[], body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return needs[0];
  return needs.find((field) => (body as Row)[field] === undefined);
}
