/** `GET /openapi.json`: the document that this API is held to. Made when it is first asked for. */

import type { ApiDeps } from '../deps.ts';
import { type Document, openApiDocument } from '../openapi.ts';
import { NoQuery } from '../requests.ts';
import type { Route } from '../router.ts';
import { OpenApi } from '../schemas.ts';
import { route } from '../table.ts';

/** `table`: all routes, this one among them. */
export function openApiRoute(table: () => readonly Route<ApiDeps>[]): Route<ApiDeps> {
  let made: Document | undefined;
  return route({
    method: 'GET',
    path: '/openapi.json',
    operation: 'getOpenApi',
    tag: 'About',
    summary: 'This document',
    scope: 'read',
    query: NoQuery,
    answers: { 200: { description: 'OpenAPI 3.1.', schema: OpenApi } },
    problems: [],
    async handle({ request }) {
      made ??= openApiDocument(table());
      return { status: 200, body: { ...made, servers: [{ url: request.base || '/' }] } };
    },
  });
}
