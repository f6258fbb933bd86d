/** Holds answers of the API against its own document: path, method, status, type, headers and body must all stand there. */
import { expect } from 'vitest';
import * as z from 'zod';
import { openApiDocument } from '../../src/api/openapi.ts';
import { matchPath } from '../../src/api/router.ts';
import { ROUTES } from '../../src/api/routes.ts';

type Schema = { [key: string]: unknown };
type Response = { headers?: Record<string, unknown>; content?: Record<string, { schema: Schema }> };
type Operation = { responses: Record<string, Response> };

export const DOCUMENT = openApiDocument(ROUTES);
const compiled = new Map<Schema, z.ZodType>();

/** Whatever every answer carries. */
const EVERYWHERE = new Set(['content-type', 'cache-control', 'x-content-type-options', 'x-request-id', 'allow']);

type Answered = { status: number; headers: Record<string, string>; body: unknown };

/** What no operation of the document was asked for (another path, another method) answers 401, 404, 405, 414 or 431. */
export function checkDocumented(method: string, path: string, { status, headers, body }: Answered): void {
  const route = matchPath(ROUTES, path).find((match) => match.route.method === (method === 'HEAD' ? 'GET' : method))?.route;
  if (method === 'OPTIONS' || !route) {
    expect([204, 401, 404, 405, 414, 431, 503]).toContain(status);
    return;
  }
  const what = `${method} ${route.path} answering ${status}`;
  const operation = DOCUMENT.paths[route.path]?.[route.method.toLowerCase()] as Operation | undefined;
  const response = operation?.responses[status];
  if (!response) throw new Error(`${what} is not documented`);
  const documented = new Set(Object.keys(response.headers ?? {}).map((name) => name.toLowerCase()));
  for (const name of Object.keys(headers))
    if (!EVERYWHERE.has(name) && !documented.has(name)) throw new Error(`${what}: ${name} is not documented`);
  if (!response.content) return void expect(body, what).toBeUndefined();
  const type = response.content[headers['content-type'] ?? ''];
  if (!type) throw new Error(`${what} with ${headers['content-type']} is not documented`);
  if (method === 'HEAD') return void expect(body, what).toBeUndefined();
  const parsed = validator(type.schema).safeParse(body);
  if (!parsed.success)
    throw new Error(`${what} is not as documented: ${z.prettifyError(parsed.error)}\n${JSON.stringify(body).slice(0, 2_000)}`);
  // The document leaves answers open for what will be added; today nothing may be in them that no schema names.
  const strict = status < 400 ? z.safeParse(route.answers[status]?.schema as unknown as z.ZodType, body) : undefined;
  if (strict && !strict.success) throw new Error(`${what} holds what is not documented: ${z.prettifyError(strict.error)}`);
}

function validator(schema: Schema): z.ZodType {
  let found = compiled.get(schema);
  if (!found) {
    const { components } = DOCUMENT as unknown as { components: { schemas: Schema } };
    const whole = JSON.stringify({ ...schema, $defs: components.schemas }).replaceAll('#/components/schemas/', '#/$defs/');
    found = z.fromJSONSchema(JSON.parse(whole)) as z.ZodType;
    compiled.set(schema, found);
  }
  return found;
}
