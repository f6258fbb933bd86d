/** The HTTP API as one function of a REST proxy event: token, route, answer; every error becomes problem+json here. */
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { tokenCheck } from './auth.ts';
import type { ApiDeps } from './deps.ts';
import { Problem, problemBody, toProblem } from './problem.ts';
import { type ApiRequest, readRequest } from './request.ts';
import { type Answer, matchPath, readQuery } from './router.ts';
import { ROUTES } from './routes.ts';

export type { ApiDeps, ApiEvent } from './deps.ts';

/** Throws `E_BAD_OPTION` for a token hash that is none. What it returns never rejects. */
export function createApi(deps: ApiDeps): (event: APIGatewayProxyEvent) => Promise<APIGatewayProxyResult> {
  const hasToken = tokenCheck(deps.tokenHashes);

  async function answer(request: ApiRequest): Promise<Answer> {
    const matches = matchPath(ROUTES, request.path);
    const found = matches.find(({ route }) => route.method === request.method);
    // Without a token it is not even told which paths there are.
    if (!found?.route.open && !matches.some(({ route }) => route.open)) requireToken(request, hasToken);
    if (found) return found.route.handle({ request, params: found.params, query: readQuery(found.route.query, request.query) }, deps);
    if (matches.length === 0) throw new Problem('E_UNKNOWN_ROUTE', `there is nothing at ${request.path.slice(0, 200)}`);
    const allow = matches.map(({ route }) => route.method).join(', ');
    throw new Problem('E_METHOD_NOT_ALLOWED', `${request.path.slice(0, 200)} takes ${allow}`, { headers: { allow } });
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
    return {
      statusCode: given.status,
      headers: {
        'content-type': code === undefined ? 'application/json' : 'application/problem+json',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        ...(request.id === undefined ? {} : { 'x-request-id': request.id }),
        ...given.headers,
      },
      body: JSON.stringify(given.body),
      isBase64Encoded: false,
    };
  };
}

function requireToken(request: ApiRequest, hasToken: (authorization: string | undefined) => boolean): void {
  const authorization = request.header('authorization');
  if (hasToken(authorization)) return;
  // RFC 6750, section 3.1: a request without any credentials is not told of an error.
  const challenge = authorization === undefined ? 'Bearer realm="holdfast"' : 'Bearer realm="holdfast", error="invalid_token"';
  throw new Problem('E_UNAUTHORIZED', 'send a valid token as Authorization: Bearer <token>', {
    headers: { 'www-authenticate': challenge },
  });
}
