/** Routes as a table: a method and a path pattern, the query it takes, and what answers. */
import type * as z from 'zod/mini';
import { Problem } from './problem.ts';
import type { ApiRequest } from './request.ts';

/** `run`: which run it was about, for the log. */
export type Answer = { status: number; body: unknown; headers?: Readonly<Record<string, string>>; run?: string };

export type Call<Query> = { readonly request: ApiRequest; readonly params: Readonly<Record<string, string>>; readonly query: Query };

type Definition<Deps, Schema extends z.ZodMiniType> = {
  readonly method: 'GET' | 'POST';
  /** `/v1/runs/{id}` */
  readonly path: string;
  readonly summary: string;
  /** Answered without a token. */
  readonly open?: boolean;
  readonly query: Schema;
  handle(call: Call<z.output<Schema>>, deps: Deps): Promise<Answer>;
};

export type Route<Deps> = Definition<Deps, z.ZodMiniType>;

/** Lets `handle` know its query by the schema. */
export function route<Deps, Schema extends z.ZodMiniType>(definition: Definition<Deps, Schema>): Route<Deps> {
  return definition as unknown as Route<Deps>;
}

export type Match<Deps> = { route: Route<Deps>; params: Record<string, string> };

/** Those whose path matches, whatever the method. */
export function matchPath<Deps>(routes: readonly Route<Deps>[], path: string): Match<Deps>[] {
  const parts = path.split('/');
  return routes.flatMap((candidate) => {
    const params = matchParts(candidate.path.split('/'), parts);
    return params ? [{ route: candidate, params }] : [];
  });
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

/** The query by its schema. Throws `E_REQUEST_INVALID` with every parameter at fault. */
export function readQuery<Schema extends z.ZodMiniType>(schema: Schema, query: ApiRequest['query']): z.output<Schema> {
  const twice = [...query].filter(([, values]) => values.length > 1).map(([parameter]) => ({ parameter, message: 'is given twice' }));
  if (twice.length > 0) throw invalidQuery(twice);
  const parsed = schema.safeParse(Object.fromEntries([...query].map(([name, values]) => [name, values[0]])));
  if (parsed.success) return parsed.data;
  throw invalidQuery(
    parsed.error.issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((parameter) => ({ parameter, message: 'is not a parameter of this request' }))
        : [{ parameter: issue.path.join('.'), message: issue.message }],
    ),
  );
}

function invalidQuery(errors: Array<{ parameter: string; message: string }>): Problem {
  const [first] = errors;
  return new Problem('E_REQUEST_INVALID', first ? `the query parameter "${first.parameter}" ${first.message}` : 'the query is invalid', {
    errors,
  });
}
