/** The OpenAPI document, made of the same routes and schemas that requests are validated by. Pure. */
import * as z from 'zod/mini';
import { NAMED } from './named.ts';
import { PROBLEMS, type ProblemCode } from './problem.ts';
import { NoHeaders, PARAMS } from './requests.ts';
import type { Documented, HeadersSchema, QuerySchema, Route, Tag, TakesBody } from './router.ts';
import { ProblemView } from './schemas.ts';

type JsonObject = { [key: string]: unknown };
export type Document = JsonObject & { paths: Record<string, Record<string, JsonObject>> };

type AnyRoute = Route<never>;

const TAGS: Readonly<Record<Tag, string>> = {
  Runs: 'Starting runs, and what became of them.',
  Operating: 'What people do to a run.',
  Workflows: 'What can be started.',
  Batches: 'Many runs of one workflow.',
  Connections: 'Whether calls go to the APIs behind them, and how to stop them.',
  Credentials: 'What is stored for the accounts of connections. It is never read back.',
  'Dead letters': 'Messages that could not become runs.',
  About: 'The API itself.',
};

const INFO = {
  title: 'Holdfast',
  version: 'v1',
  summary: 'Durable async/await for API integrations.',
  description:
    'Times are ISO 8601 in UTC. Lists answer `items` and, while there is more, `next`: give it back as `after`. A query parameter or member of a body that is not documented is refused. `HEAD` is taken where `GET` is, `OPTIONS` everywhere. In front of the API stands API Gateway, which answers 429 to more requests than the stage allows, 413 to a body above 10 MB, and 504 after 29 seconds.',
  license: { name: 'MIT', identifier: 'MIT' },
};

/** What every request may be answered, that needs a token and that does not. */
const SHARED: readonly ProblemCode[] = ['E_REQUEST_INVALID', 'E_URL_TOO_LONG', 'E_HEADERS_TOO_LARGE', 'E_INTERNAL'];
const WITH_TOKEN: readonly ProblemCode[] = ['E_UNAUTHORIZED', 'E_FORBIDDEN', 'E_UNAVAILABLE'];
const WITH_BODY: readonly ProblemCode[] = ['E_BODY_MALFORMED', 'E_BODY_TOO_LARGE', 'E_MEDIA_TYPE'];

const PROBLEM_HEADERS: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  401: { 'WWW-Authenticate': 'RFC 6750.' },
  403: { 'WWW-Authenticate': 'RFC 6750: the scope that is missing, if it is that.' },
  503: { 'Retry-After': 'In so many seconds.' },
};

/** All that a route may answer beside success. */
export function problemsOf(route: Pick<AnyRoute, 'scope' | 'body' | 'path' | 'problems'>): ProblemCode[] {
  return [
    ...SHARED,
    ...(route.scope === 'open' ? [] : WITH_TOKEN),
    ...(route.body ? WITH_BODY : []),
    // A part of a path that cannot be decoded is no value of a parameter.
    ...(route.path.includes('{') ? (['E_UNKNOWN_ROUTE'] as const) : []),
    ...route.problems,
  ];
}

export function openApiDocument<Deps>(table: readonly Route<Deps>[]): Document {
  const routes = table as unknown as readonly AnyRoute[];
  const paths: Document['paths'] = {};
  for (const route of routes) paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route) };
  return {
    openapi: '3.1.0',
    info: INFO,
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'A token of the stage. Its scopes are `read`, `start` and `operate`.' },
      },
      schemas: components(new Set(routes.flatMap(({ body }) => (body ? [nameOf(body.json)] : [])))),
    },
  };
}

function operation(route: AnyRoute): JsonObject {
  const { body } = route;
  return {
    operationId: route.operation,
    tags: [route.tag],
    summary: route.summary,
    ...(described(route) === '' ? {} : { description: described(route) }),
    ...(route.scope === 'open' ? { security: [] } : {}),
    parameters: [
      ...[...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => pathParameter(name)),
      ...parameters('query', route.query),
      ...parameters('header', route.headers ?? NoHeaders),
    ],
    ...(body ? { requestBody: requestBody(body) } : {}),
    responses: Object.fromEntries([
      ...Object.entries(route.answers).map(([status, answer]) => [status, response(answer)]),
      ...problemResponses(problemsOf(route)),
    ]),
  };
}

function described({ description, scope }: AnyRoute): string {
  const needs = scope === 'open' ? 'Needs no token.' : `Needs a token with the scope \`${scope}\`.`;
  return [description, needs].filter(Boolean).join(' ');
}

function pathParameter(name: string): JsonObject {
  const { schema, description } = PARAMS[name] as (typeof PARAMS)[string];
  return { name, in: 'path', required: true, description, schema: withoutDescription(inline(schema)) };
}

function parameters(where: 'query' | 'header', schema: QuerySchema | HeadersSchema): JsonObject[] {
  const { properties = {} } = inline(schema) as { properties?: Record<string, JsonObject> };
  return Object.entries(schema.shape).map(([name, field]) => {
    const { description, ...rest } = properties[name] as JsonObject;
    return { name, in: where, required: !z.safeParse(field, undefined).success, ...(description ? { description } : {}), schema: rest };
  });
}

function requestBody({ json, absent, description, lines }: TakesBody<z.ZodMiniType>): JsonObject {
  return {
    required: absent === undefined,
    ...(description ? { description } : {}),
    content: {
      ...(lines ? { 'application/x-ndjson': { schema: { type: 'string', description: lines.description }, example: lines.example } } : {}),
      'application/json': { schema: schemaOf(json) },
    },
  };
}

function response({ description, schema, headers }: Documented): JsonObject {
  return {
    description,
    ...responseHeaders(headers),
    ...(schema ? { content: { 'application/json': { schema: schemaOf(schema) } } } : {}),
  };
}

/** By status: which codes, and what each is. */
function problemResponses(codes: readonly ProblemCode[]): Array<[string, JsonObject]> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes) byStatus.set(PROBLEMS[code].status, [...(byStatus.get(PROBLEMS[code].status) ?? []), code]);
  return [...byStatus].map(([status, those]) => [
    String(status),
    {
      description: those.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join(' '),
      ...responseHeaders(PROBLEM_HEADERS[status]),
      content: {
        'application/problem+json': {
          schema: { allOf: [schemaOf(ProblemView), { type: 'object', properties: { code: { enum: those } } }] },
        },
      },
    },
  ]);
}

function responseHeaders(headers: Readonly<Record<string, string>> = {}): JsonObject {
  const told = Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: 'string' } }]);
  return told.length === 0 ? {} : { headers: Object.fromEntries(told) };
}

const REF = '#/components/schemas/';
const nameOf = (schema: z.ZodMiniType): string | undefined => NAMED.get(schema)?.id;

function schemaOf(schema: z.ZodMiniType): JsonObject {
  const name = nameOf(schema);
  return name === undefined ? inline(schema) : { $ref: `${REF}${name}` };
}

/** Of what has no name, and nothing with a name in it. */
function inline(schema: z.ZodMiniType): JsonObject {
  return cleaned(z.toJSONSchema(schema, { metadata: NAMED, io: 'output', unrepresentable: 'any', override: tidy }) as JsonObject);
}

/** Requests as they come in, with defaults left out; answers as they go out, where nothing says that no member will ever be added. */
function components(requests: ReadonlySet<string | undefined>): JsonObject {
  const convert = (io: 'input' | 'output') =>
    z.toJSONSchema(NAMED, { metadata: NAMED, uri: (id) => `${REF}${id}`, io, unrepresentable: 'any', override: tidy }).schemas;
  const [asked, answered] = [convert('input'), convert('output')];
  return Object.fromEntries(
    Object.keys(answered)
      .sort()
      .map((name) => {
        if (requests.has(name)) return [name, cleaned(asked[name] as JsonObject)];
        return [name, open(cleaned(answered[name] as JsonObject))];
      }),
  );
}

/** What is true of every schema, and told by the document or by a format. */
function tidy({ jsonSchema }: { jsonSchema: JsonObject }): void {
  if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
}

function cleaned({ $schema: _schema, $id: _id, id: _name, ...schema }: JsonObject): JsonObject {
  return schema;
}

function withoutDescription({ description: _description, ...schema }: JsonObject): JsonObject {
  return schema;
}

function open(value: JsonObject): JsonObject {
  const deep = (item: unknown): unknown => {
    if (Array.isArray(item)) return item.map(deep);
    if (item === null || typeof item !== 'object') return item;
    return Object.fromEntries(
      Object.entries(item).flatMap(([key, member]) => (key === 'additionalProperties' && member === false ? [] : [[key, deep(member)]])),
    );
  };
  return deep(value) as JsonObject;
}
