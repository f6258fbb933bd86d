/** What `npm run chaos` has found, one story each. */
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { currentRun } from '../../src/engine/context.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { connection } from '../../src/http/connection.ts';
import type { WireEvent } from '../../src/http/exchange.ts';
import { notApplied, reconcile } from '../../src/http/unknown.ts';
import { operatorOf } from '../support/engine/operator.ts';
import { createRig } from '../support/engine/rig.ts';
import { type Harness, harness } from '../support/http.ts';

let world: Harness;
beforeEach(async () => {
  world = await harness();
});
afterEach(() => world.close());

/** A server whose answers are these bytes, one after the other, each on what was sent; `undefined` closes the socket. */
async function bytes(...answers: ReadonlyArray<string | undefined>): Promise<{ url: string; sent(): number; close(): Promise<void> }> {
  let sent = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', () => {
      const answer = answers[Math.min(sent++, answers.length - 1)];
      if (answer === undefined) socket.end();
      else if (answer.endsWith('\r\n\r\n') || answer.endsWith('}')) socket.write(answer);
      else socket.end(answer);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    sent: () => sent,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}';

describe('a reused socket that breaks', () => {
  /** What is recorded of the second of two GETs. */
  async function second(answer: string | undefined): Promise<{ resent: boolean; attempts: number }> {
    const server = await bytes(OK, answer, OK);
    const events: WireEvent[] = [];
    const { transport } = world.runtime;
    const send = transport.send;
    transport.send = async (request) => {
      const event = await send(request);
      events.push(event);
      return event;
    };
    try {
      const api = connection({ name: 'api', baseUrl: server.url });
      await api.get('/first');
      // undici takes a socket back a turn after its answer.
      await new Promise((turn) => setImmediate(turn));
      await api.get('/second');
      expect(events[1]?.reused).toBe(true);
      return { resent: world.waits.length === 0, attempts: events.length };
    } finally {
      await server.close();
    }
  }

  it('before a byte of an answer is a stale one: sent again at once, free of charge', async () => {
    expect(await second(undefined)).toEqual({ resent: true, attempts: 3 });
  });

  it.each([
    ['within the head of one', 'HTTP/1.1 200 OK\r\ncontent-'],
    ['after early hints', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 2'],
  ])('%s is not: the server was at it, and it uses up an attempt', async (_where, answer) => {
    expect(await second(answer)).toEqual({ resent: false, attempts: 3 });
  });
});

it('a head that gives two lengths is not valid HTTP, and is not asked for six times', async () => {
  const server = await bytes('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 5\r\n\r\n{}');
  try {
    const api = connection({ name: 'api', baseUrl: server.url });
    await expect(api.get('/')).rejects.toThrow(/not valid HTTP .* after 2 attempts/);
  } finally {
    await server.close();
  }
});

describe('an unsafe call whose failure came with a Retry-After', () => {
  it('is not sent again before that, though a reconciler finds that it did not happen', async () => {
    world.server.script({ status: 500, headers: { 'retry-after': '27' } }, {});
    await world.connect({ onUnknown: reconcile(() => notApplied()) }).post('/', { json: {} });
    expect(world.waits).toHaveLength(1);
    expect(world.waits[0]).toBeGreaterThanOrEqual(26_990);
  });

  it('nor though a person says so', async () => {
    const error = { code: 'E_UNKNOWN_OUTCOME', message: 'answered 500', detail: { notBefore: 0 } } as const;
    const sentAt: number[] = [];
    const rig = createRig({
      workflows: [
        workflow({
          name: 'w',
          run: async () =>
            void (await currentRun()?.run.issue({
              kind: 'call',
              identity: 'POST',
              label: 'POST',
              effect: 'unsafe',
              timeout: 1_000,
              attempt: async ({ clock }) => {
                sentAt.push(clock.now());
                if (sentAt.length > 1) return { type: 'done', value: '1' };
                return { type: 'unknown', error: { ...error, detail: { notBefore: clock.now() + 90_000 } } };
              },
            })),
        }),
      ],
    });
    await rig.runToEnd('w');
    const operator = operatorOf(rig);
    await operator.settle({ outcome: 'not-happened' });
    expect((await operator.onward()).status).toBe('succeeded');
    expect((sentAt[1] ?? 0) - (sentAt[0] ?? 0)).toBeGreaterThanOrEqual(90_000);
  });
});
