import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applied, cannotTell, notApplied, reconcile, type SentCall } from '../../src/http/unknown.ts';
import { failure, type Harness, harness } from '../support/http.ts';

let world: Harness;
beforeEach(async () => {
  world = await harness();
});
afterEach(() => world.close());

const LOST = { reset: 'after-effect' } as const;

describe('a call of which nobody knows whether it happened', () => {
  it('is settled by asking: applied, and its reply is what the reconciler found', async () => {
    world.server.script(LOST, { body: '{"items":[{"id":"m1"}]}' });
    const crm = world.connect();
    let asked: SentCall | undefined;
    const reply = await crm.post('/messages?a=1', {
      json: { reference: 'r' },
      onUnknown: reconcile(async (sent) => {
        asked = sent;
        const { data } = await crm.get('/messages', { query: { reference: 'r' } });
        return applied({ status: 201, data: (data as { items: unknown[] }).items[0] });
      }),
    });
    expect(reply).toMatchObject({ status: 201, data: { id: 'm1' } });
    expect(asked).toMatchObject({
      request: { method: 'POST', url: `${world.server.url}/messages?a=1`, json: { reference: 'r' } },
      sentAt: expect.any(Number) as number,
    });
    expect(world.server.received.map(({ method }) => method)).toEqual(['POST', 'GET']);
  });

  it('is sent again when it did not happen', async () => {
    world.server.script({ reset: 'before-effect' }, { status: 201 });
    const reply = await world.connect().post('/', { body: 'x', onUnknown: reconcile(() => notApplied()) });
    expect(reply.status).toBe(201);
    expect(world.server.effects).toHaveLength(1);
  });

  it('waits for a person when nobody can tell: outside a run, an error', async () => {
    world.server.script(LOST);
    expect(await failure(world.connect().post('/', { onUnknown: reconcile(() => cannotTell()) }))).toMatchObject({
      name: 'UnknownOutcomeError',
    });
    expect(world.server.received).toHaveLength(1);
  });

  it('is asked about again when the reconciler fails, until the attempts are used up', async () => {
    world.server.script(LOST);
    let asked = 0;
    const failing = reconcile(() => {
      asked += 1;
      throw new Error('the list is down');
    });
    expect(await failure(world.connect({ retry: { attempts: 3 } }).post('/', { onUnknown: failing }))).toMatchObject({
      code: 'E_UNKNOWN_OUTCOME',
      message: expect.stringContaining('the list is down') as string,
    });
    expect(asked).toBe(3);
    expect(world.server.received).toHaveLength(1);
  });

  it('is asked about again when the answer is no answer', async () => {
    world.server.script(LOST);
    const answers = [undefined, applied({ data: 'found' })];
    const reply = await world.connect().post('/', { as: 'text', onUnknown: reconcile(() => answers.shift() as never) });
    expect(reply).toMatchObject({ status: 200, data: 'found' });
  });

  it('is sent again or thrown where the connection says so', async () => {
    world.server.script(LOST, { status: 201 });
    expect((await world.connect({ onUnknown: 'retry' }).post('/')).status).toBe(201);
    world.server.script({ status: 502, body: '{}' });
    expect(await failure(world.connect({ onUnknown: 'throw' }).post('/'))).toMatchObject({ name: 'UnknownOutcomeError' });
  });

  it('found applied with bytes or nothing comes back as that', async () => {
    world.server.script(LOST);
    const crm = world.connect();
    expect((await crm.post('/', { onUnknown: reconcile(() => applied({ data: Uint8Array.of(0, 255) })) })).data).toEqual(
      Uint8Array.of(0, 255),
    );
    expect((await crm.post('/', { onUnknown: reconcile(() => applied({ status: 204, data: undefined })) })).data).toBeUndefined();
  });

  it('must have a function to ask', () => {
    expect(() => reconcile('x' as never)).toThrow(/give it a function/);
  });
});
