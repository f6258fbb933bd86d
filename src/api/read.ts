/** Query, headers and body of a request by the schemas of its route. Every fault is named by its place. */
import type * as z from 'zod/mini';
import { pointer } from '../engine/json.ts';
import { isNdjson, readJson, readLines } from './body.ts';
import { type FieldError, Problem } from './problem.ts';
import type { ApiRequest } from './request.ts';
import type { HeadersSchema, Route } from './router.ts';

/** Throws `E_REQUEST_INVALID` with every parameter at fault. */
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

/** Others than those of the schema are nobody's concern. Throws `E_REQUEST_INVALID` with every header at fault. */
export function readHeaders<Schema extends HeadersSchema>(schema: Schema, request: ApiRequest): z.output<Schema> {
  const parsed = schema.safeParse(Object.fromEntries(Object.keys(schema.shape).map((name) => [name, request.header(name)])));
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map((issue) => ({ header: issue.path.join('.'), message: issue.message }));
  throw new Problem('E_REQUEST_INVALID', errors.map(({ header, message }) => `the header ${header} ${message}`).join('; '), { errors });
}

export type Read = { body: unknown; lines?: Uint8Array };

/** Throws what `readJson` and `readLines` do, and `E_REQUEST_INVALID` with every member at fault. */
export function readBody<Deps>(route: Pick<Route<Deps>, 'body'>, request: ApiRequest): Read {
  const { body } = route;
  if (!body) return { body: undefined };
  if (body.lines && isNdjson(request)) return { body: undefined, lines: readLines(request) };
  const given = readJson(request, body.lines ? ['application/x-ndjson', 'application/json'] : ['application/json']);
  if (given === undefined && 'absent' in body) return { body: body.absent };
  if (given === undefined) throw invalidBody([{ pointer: '', message: 'is needed' }]);
  const parsed = body.json.safeParse(given);
  if (parsed.success) return { body: parsed.data };
  throw invalidBody(parsed.error.issues.flatMap(placed));
}

function placed(issue: z.core.$ZodIssue): FieldError[] {
  const at = (path: readonly PropertyKey[]) => (path.length === 0 ? '' : pointer(path.map(String)));
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => ({ pointer: at([...issue.path, name]), message: 'is not a member of it' }));
  }
  return [{ pointer: at(issue.path), message: issue.message }];
}

function invalidBody(errors: readonly FieldError[]): Problem {
  const [first] = errors;
  const where = first && 'pointer' in first && first.pointer !== '' ? `the member ${first.pointer} of the body` : 'the body';
  return new Problem('E_REQUEST_INVALID', `${where} ${first?.message ?? 'is invalid'}`, { errors });
}

function invalidQuery(errors: Array<{ parameter: string; message: string }>): Problem {
  const [first] = errors;
  return new Problem('E_REQUEST_INVALID', first ? `the query parameter "${first.parameter}" ${first.message}` : 'the query is invalid', {
    errors,
  });
}
