import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sleep } from '../../src/engine/verbs.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { connection } from '../../src/http/connection.ts';
import { applied, notApplied, reconcile } from '../../src/http/unknown.ts';
import { killedEverywhere, mortal } from '../support/engine/mortal.ts';
import { type HostileServer, hostileServer } from '../support/hostile-server.ts';

let server: HostileServer;
beforeEach(async () => {
  server = await hostileServer();
});
afterEach(() => server.close());

const crm = (more = {}) => connection({ name: 'crm', baseUrl: server.url, ...more });

type Thrown = { name: string; message: string; detail?: { mayHaveHappened?: boolean } };
const told = ({ name, message, detail }: Thrown) => ({ name, message, maybe: detail?.mayHaveHappened === true });

describe('a call in a run whose signal is aborted', () => {
  it.each([
    ['safe', 'GET', false],
    ['idempotent', 'PUT', true],
    ['unsafe', 'POST', true],
  ] as const)('while it is being sent rejects as fetch does, and says whether it may have happened: %s', async (_effect, method, maybe) => {
    const abort = new AbortController();
    server.script(() => {
      abort.abort();
      return { delay: 30 };
    });
    const api = crm();
    const world = mortal({
      workflow: workflow({
        name: 'w',
        run: () =>
          api.fetch('/a', { method, signal: abort.signal }).catch((error: Thrown & Error) => [error instanceof DOMException, told(error)]),
      }),
    });
    await world.toTheEnd();
    expect(world.value()).toEqual([true, { name: 'AbortError', message: `${method} crm /a: aborted`, maybe }]);
    expect(world.journal().filter(({ k }) => k === 'fail')).toMatchObject([{ error: { code: 'E_ABORTED' } }]);
    expect(server.received).toHaveLength(1);
  });

  it.each(['GET', 'PUT', 'POST'] as const)('before it is issued sends nothing, and is journaled all the same: %s', async (method) => {
    const api = crm();
    const seen: unknown[] = [];
    const world = mortal({
      maxDeliveries: 1,
      workflow: workflow({
        name: 'w',
        async run() {
          const error = await api.request(method, '/a', { signal: AbortSignal.abort('not today') }).catch((thrown: Thrown) => told(thrown));
          seen.push(error);
          await api.get('/b');
          return error;
        },
      }),
    });
    await world.toTheEnd();
    expect(world.value()).toEqual({ name: 'AbortError', message: `${method} crm /a: aborted: not today`, maybe: false });
    // A read that is under way when the run is put down is made again.
    expect(new Set(server.received.map(({ url }) => url))).toEqual(new Set(['/b']));
    expect(new Set(seen.map((one) => JSON.stringify(one))).size).toBe(1);
  });

  it('keeps on every replay the outcome that it had, whatever its signal does then', async () => {
    let round = 0;
    const api = crm();
    server.script({ body: '"first"' });
    const seen = new Set<string>();
    const world = mortal({
      maxDeliveries: 1,
      workflow: workflow({
        name: 'w',
        async run() {
          round += 1;
          // Not aborted in the first process, and aborted in all that replay it: what a signal of wall time does.
          const answered = await api.fetch('/a', { signal: round === 1 ? new AbortController().signal : AbortSignal.abort() });
          // The other way round.
          const aborted = await api
            .fetch('/b', { method: 'POST', signal: round <= 2 ? AbortSignal.abort() : new AbortController().signal })
            .catch((error: Thrown) => error.name);
          const all = JSON.stringify([await answered.json(), aborted]);
          seen.add(all);
          await api.get('/c');
          return all;
        },
      }),
    });
    await world.toTheEnd();
    expect([...seen]).toEqual(['["first","AbortError"]']);
    expect(new Set(server.received.map(({ url }) => url))).toEqual(new Set(['/a', '/c']));
    expect(round).toBeGreaterThan(2);
  });

  it('by AbortSignal.timeout rejects with a TimeoutError', async () => {
    server.script({ hang: true });
    const api = crm();
    const world = mortal({
      workflow: workflow({
        name: 'w',
        run: () => api.get('/', { signal: AbortSignal.timeout(20) }).catch((error: Thrown) => error.name),
      }),
    });
    await world.toTheEnd();
    expect(world.value()).toBe('TimeoutError');
  });

  it('while it is parked is not waited for any longer', async () => {
    server.script({ status: 429, headers: { 'retry-after': '3600' } }, {});
    const api = crm();
    const world = mortal({
      workflow: workflow({
        name: 'w',
        async run() {
          const abort = new AbortController();
          const call = api.put('/a', { json: {}, signal: abort.signal }).catch((error: Thrown) => told(error));
          await sleep('1m');
          abort.abort(new Error('a minute is enough'));
          return call;
        },
      }),
    });
    const run = await world.toTheEnd();
    // What it may have done before it was throttled is not known to be nothing.
    expect(world.value()).toEqual({ name: 'AbortError', message: 'PUT crm /a: aborted: a minute is enough', maybe: true });
    expect((run.endedAt ?? 0) - run.createdAt).toBeLessThan(120_000);
    expect(server.received).toHaveLength(1);
  });

  it('an unsafe one that comes to its end after that is known to have happened by a redrive, and is not sent again', async () => {
    const abort = new AbortController();
    server.script(() => {
      abort.abort();
      return { delay: 50, status: 201, body: '{"id":7}' };
    });
    const api = crm();
    const world = mortal({
      workflow: workflow({ name: 'w', run: async () => (await api.post('/a', { json: {}, signal: abort.signal })).data }),
    });
    const run = await world.toTheEnd();
    expect(run).toMatchObject({ status: 'failed', outcome: { error: { name: 'AbortError' } } });
    expect(world.journal().map(({ k }) => k)).toEqual(expect.arrayContaining(['start', 'unknown', 'fail', 'settled']));
    await world.redrive();
    await world.toTheEnd();
    expect(world.value()).toEqual({ id: 7 });
    expect(server.received).toHaveLength(1);
    expect(world.journal().find(({ k }) => k === 'settled')).toMatchObject({
      value: { text: expect.stringContaining('{\\"id\\":7}') as string },
    });
  });

  it('an unsafe one whose process dies is settled like any other that is unknown', async () => {
    const points = await killedEverywhere(async (killAt) => {
      await server.close();
      server = await hostileServer();
      const api = crm();
      const abort = new AbortController();
      server.script((request) => {
        if (request.method === 'GET') return {};
        abort.abort();
        return { status: 201 };
      });
      const world = mortal({
        killAt,
        workflow: workflow({
          name: 'w',
          async run() {
            const mine = abort.signal.aborted ? AbortSignal.abort() : abort.signal;
            const error = await api
              .post('/a', {
                json: {},
                signal: mine,
                onUnknown: reconcile(async () => (server.effects.length > 0 ? applied({ status: 201, data: null }) : notApplied())),
              })
              .then(
                () => 'done',
                (thrown: Thrown) => thrown.name,
              );
            await api.put('/b', { json: { error } });
            return error;
          },
        }),
      });
      await world.toTheEnd();
      expect(world.value()).toBe('AbortError');
      expect(server.effects.filter(({ url }) => url === '/a').length).toBeLessThanOrEqual(1);
      return world;
    });
    expect(points).toBeGreaterThan(10);
  });

  it('while the journal is replayed is heard when that is over', async () => {
    const values = new Set<unknown>();
    await killedEverywhere(async (killAt) => {
      await server.close();
      server = await hostileServer();
      server.script((request) => (request.method === 'PUT' ? { hang: true } : {}));
      const api = crm();
      const world = mortal({
        killAt,
        workflow: workflow({
          name: 'w',
          async run() {
            const abort = new AbortController();
            const call = api.put('/a', { json: {}, signal: abort.signal }).then(
              () => 'done',
              (thrown: Thrown) => thrown.name,
            );
            await api.delete('/x');
            await api.delete('/y');
            abort.abort();
            await api.delete('/z');
            return call;
          },
        }),
      });
      await world.toTheEnd();
      values.add(world.value());
      return world;
    });
    expect([...values]).toEqual(['AbortError']);
  });

  it('leaves what was received before the abort as it is', async () => {
    const api = crm();
    const world = mortal({
      workflow: workflow({
        name: 'w',
        async run() {
          const abort = new AbortController();
          const { status } = await api.get('/a', { signal: abort.signal });
          abort.abort();
          return status;
        },
      }),
    });
    await world.toTheEnd();
    expect(world.value()).toBe(200);
  });
});
