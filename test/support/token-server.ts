/** A token endpoint and the API behind it on one real socket: counts what it gives, rotates refresh tokens, knows which tokens are good. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export type TokenRequest = { form: Record<string, string>; headers: IncomingMessage['headers'] };
export type TokenReply = { status?: number; body: unknown; type?: string; delay?: number };

export type TokenServer = {
  readonly url: string;
  readonly tokenUrl: string;
  /** Tokens that were given. */
  readonly mints: string[];
  readonly requests: TokenRequest[];
  /** Of the API: the Authorization of each, in order of arrival. */
  readonly calls: Array<{ authorization: string | undefined; status: number; url: string }>;
  /** Access tokens that the API takes. */
  readonly good: Set<string>;
  /** Refresh tokens that are taken, with what became of those that were. */
  readonly refreshTokens: Set<string>;
  /** In place of the usual answer; `undefined` leaves it at that. */
  answer: (request: TokenRequest, n: number) => TokenReply | undefined | Promise<TokenReply | undefined>;
  expiresIn: number | undefined;
  rotates: boolean;
  close(): Promise<void>;
};

export async function tokenServer(): Promise<TokenServer> {
  const state = {
    mints: [] as string[],
    requests: [] as TokenRequest[],
    calls: [] as TokenServer['calls'],
    good: new Set<string>(),
    refreshTokens: new Set<string>(),
    answer: (() => undefined) as TokenServer['answer'],
    expiresIn: 3_600 as number | undefined,
    rotates: false,
  };

  function usual({ form }: TokenRequest): TokenReply {
    const { grant_type: type, refresh_token: refresh = '' } = form;
    if (type === 'refresh_token' && !state.refreshTokens.has(refresh)) return { status: 400, body: { error: 'invalid_grant' } };
    const token = `access-token-${state.mints.length + 1}`;
    state.mints.push(token);
    state.good.add(token);
    let next: string | undefined;
    if (type === 'refresh_token' && state.rotates) {
      state.refreshTokens.delete(refresh);
      next = `refresh-token-${state.mints.length + 1}`;
      state.refreshTokens.add(next);
    }
    return {
      body: {
        access_token: token,
        token_type: 'bearer',
        ...(state.expiresIn === undefined ? {} : { expires_in: state.expiresIn }),
        ...(next === undefined ? {} : { refresh_token: next }),
        instance_url: 'https://eu1.example',
      },
    };
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      if (!request.url?.startsWith('/oauth/')) {
        const { authorization } = request.headers;
        const status = state.good.has(authorization?.replace('Bearer ', '') ?? '') ? 200 : 401;
        state.calls.push({ authorization, status, url: request.url ?? '' });
        response.writeHead(status, { 'content-type': 'application/json' }).end('{"ok":true}');
        return;
      }
      const asked = { form: Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString())), headers: request.headers };
      state.requests.push(asked);
      const {
        status = 200,
        body,
        type = 'application/json',
        delay = 0,
      } = (await state.answer(asked, state.requests.length)) ?? usual(asked);
      setTimeout(() => {
        response.writeHead(status, { 'content-type': type }).end(typeof body === 'string' ? body : JSON.stringify(body));
      }, delay);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(state, {
    url,
    tokenUrl: `${url}/oauth/token`,
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  });
}
