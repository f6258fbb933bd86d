/** The HTTP API as one function of a REST proxy event: token, route, answer; every error becomes problem+json here. */
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { authenticator, type Bearer, requireScope } from './auth.ts';
import type { ApiDeps } from './deps.ts';
import { checkLimits } from './limits.ts';
import { Problem, problemBody, toProblem } from './problem.ts';
import { readBody, readHeaders, readQuery } from './read.ts';
import { type ApiRequest, readRequest } from './request.ts';
import { NoHeaders } from './requests.ts';
import { type Answer, type Match, matchPath } from './router.ts';
import { ROUTES } from './routes.ts';

export type { ApiDeps, ApiEvent } from './deps.ts';

const NOBODY: Bearer = { name: 'nobody', scopes: [] };

/** Throws `E_BAD_OPTION` for a token hash that is none. What it returns never rejects. */
export function createApi(deps: ApiDeps): (event: APIGatewayProxyEvent) => Promise<APIGatewayProxyResult> {
  const authenticate = authenticator({ hashes: deps.tokenHashes, store: deps.tokens, clock: deps.clock });

  async function answer(request: ApiRequest): Promise<Answer> {
    checkLimits(request);
    const matches = matchPath(ROUTES, request.path);
    const isOpen = matches.some(({ route }) => route.scope === 'open');
    // Without a token it is not even told which paths there are.
    const bearer = isOpen ? NOBODY : await authenticate(request.header('authorization'));
    const where = request.path.slice(0, 200);
    if (matches.length === 0) throw new Problem('E_UNKNOWN_ROUTE', `there is nothing at ${where}`);
    const allow = methodsOf(matches).join(', ');
    if (request.method === 'OPTIONS') return { status: 204, headers: { allow } };
    // HEAD is GET without what follows the headers (RFC 9110, section 9.3.2).
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const found = matches.find(({ route }) => route.method === method);
    if (!found) throw new Problem('E_METHOD_NOT_ALLOWED', `${where} takes ${allow}`, { headers: { allow } });
    const { route, params } = found;
    if (route.scope !== 'open') requireScope(bearer, route.scope);
    return route.handle(
      {
        request,
        bearer,
        params,
        query: readQuery(route.query, request.query),
        headers: readHeaders(route.headers ?? NoHeaders, request),
        ...readBody(route, request),
      },
      deps,
    );
  }

  return async (event) => {
    const began = deps.clock.now();
    const request = readRequest(event);
    const about = { ...(request.id === undefined ? {} : { requestId: request.id }), method: request.method, path: request.path };
    let given: Answer;
    let code: string | undefined;
    try {
      given = await answer(request);
    } catch (thrown) {
      const problem = toProblem(thrown);
      code = problem.code;
      if (problem.status >= 500) deps.observe?.({ type: 'api.fault', ...about, error: problem.cause });
      given = { status: problem.status, body: problemBody(problem, about), headers: problem.headers };
    }
    deps.observe?.({
      type: 'api.answered',
      ...about,
      status: given.status,
      ...(code === undefined ? {} : { code }),
      ...(given.run === undefined ? {} : { run: given.run }),
      ms: deps.clock.now() - began,
    });
    const isEmpty = given.body === undefined;
    return {
      statusCode: given.status,
      headers: {
        ...(isEmpty ? {} : { 'content-type': code === undefined ? 'application/json' : 'application/problem+json' }),
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        ...(request.id === undefined ? {} : { 'x-request-id': request.id }),
        ...given.headers,
      },
      body: isEmpty || request.method === 'HEAD' ? '' : JSON.stringify(given.body),
      isBase64Encoded: false,
    };
  };
}

function methodsOf(matches: readonly Match<ApiDeps>[]): string[] {
  const methods = matches.map(({ route }) => route.method);
  return [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'];
}
