/**
 * Routes as a table. A route says all there is to say of it: who may ask, what is taken, what is answered. Requests are
 * validated by it, and the document at /openapi.json is made of it.
 */
import type * as z from 'zod/mini';
import type { TokenScope } from '../engine/ports.ts';
import type { Bearer } from './auth.ts';
import type { ProblemCode } from './problem.ts';
import type { ApiRequest } from './request.ts';

/** `run`: which run it was about, for the log. Without `body` nothing follows the headers. */
export type Answer = { status: number; body?: unknown; headers?: Readonly<Record<string, string>>; run?: string };

export type Call<Query, Headers, Body> = {
  readonly request: ApiRequest;
  readonly bearer: Bearer;
  /** By the names in the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly headers: Headers;
  readonly body: Body;
  /** In place of `body`, where the route takes lines and they were sent. */
  readonly lines?: Uint8Array;
};

export type Documented = {
  readonly description: string;
  readonly schema?: z.ZodMiniType;
  /** Name → what it says. */
  readonly headers?: Readonly<Record<string, string>>;
};

export type TakesBody<Body extends z.ZodMiniType> = {
  readonly json: Body;
  readonly description?: string;
  /** What no body stands for. Without it, one is needed. */
  readonly absent?: z.output<Body>;
  /** It may be NDJSON as well: whole, and read by the route. */
  readonly lines?: { readonly description: string; readonly example: string };
};

export type HeadersSchema = z.ZodMiniObject<Record<string, z.ZodMiniType>>;
export type QuerySchema = z.ZodMiniObject<Record<string, z.ZodMiniType>>;
export type Tag = 'Runs' | 'Operating' | 'Workflows' | 'Batches' | 'Connections' | 'Credentials' | 'Dead letters' | 'About';

type Definition<Deps, Query extends QuerySchema, Headers extends HeadersSchema, Body extends z.ZodMiniType> = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `/v1/runs/{run}`: each name is one of `PARAMS`. */
  readonly path: string;
  /** A name for generated clients, unique. */
  readonly operation: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly description?: string;
  /** What a token must allow; `open` needs none. */
  readonly scope: TokenScope | 'open';
  readonly query: Query;
  readonly headers?: Headers;
  readonly body?: TakesBody<Body>;
  readonly answers: Readonly<Record<number, Documented>>;
  /** What it may answer beside the problems that every route shares. */
  readonly problems: readonly ProblemCode[];
  handle(call: Call<z.output<Query>, z.output<Headers>, z.output<Body>>, deps: Deps): Promise<Answer>;
};

export type Route<Deps> = Definition<Deps, QuerySchema, HeadersSchema, z.ZodMiniType>;

/** For a table of routes whose deps are one type: lets each `handle` know what it is called with by the schemas. */
export function routes<Deps>() {
  return <Query extends QuerySchema, Headers extends HeadersSchema, Body extends z.ZodMiniType>(
    definition: Definition<Deps, Query, Headers, Body>,
  ): Route<Deps> => definition as unknown as Route<Deps>;
}

export type Match<Deps> = { route: Route<Deps>; params: Record<string, string> };

/** Those whose path matches, whatever the method; a path that names more of it is before one with a parameter (OpenAPI 3.1, section 4.8.8.2). */
export function matchPath<Deps>(table: readonly Route<Deps>[], path: string): Match<Deps>[] {
  const parts = path.split('/');
  const found = table.flatMap((candidate) => {
    const params = matchParts(candidate.path.split('/'), parts);
    return params ? [{ route: candidate, params }] : [];
  });
  const fewest = Math.min(...found.map(({ params }) => Object.keys(params).length));
  return found.filter(({ params }) => Object.keys(params).length === fewest);
}

function matchParts(pattern: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, expected] of pattern.entries()) {
    const part = parts[i] as string;
    if (!expected.startsWith('{')) {
      if (expected !== part) return undefined;
      continue;
    }
    const value = decode(part);
    if (value === undefined || value === '') return undefined;
    params[expected.slice(1, -1)] = value;
  }
  return params;
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
