/** A call that is found not to have happened, again and again, is sent again more and more slowly, and ends. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { notApplied, reconcile } from '../../src/http/unknown.ts';
import { failure, type Harness, harness } from '../support/http.ts';

const LOST = { reset: 'before-effect' } as const;

let world: Harness;
let asked: number;
beforeEach(async () => {
  world = await harness();
  world.server.script(LOST);
  asked = 0;
});
afterEach(() => world.close());

const never = reconcile(() => {
  asked += 1;
  // A loop without end would never give the test its turn.
  if (asked > 50) throw new Error('asked for ever');
  return notApplied();
});

describe.each([
  ['a reconciler says each time that it did not happen', never],
  ['the connection says "retry"', 'retry' as const],
])('an unsafe call that is lost every time, where %s', (_how, onUnknown) => {
  const post = (attempts: number) => world.connect({ retry: { attempts }, onUnknown }).post('/', { json: {} });

  it('is sent as often as it has attempts, and then is an error that says that nobody knows', async () => {
    expect(await failure(post(4))).toMatchObject({ name: 'UnknownOutcomeError', code: 'E_UNKNOWN_OUTCOME' });
    expect(world.server.received).toHaveLength(4);
  });

  it('is waited for before each further sending, in process at first and then for seconds', async () => {
    await failure(post(5));
    expect(world.waits).toHaveLength(4);
    for (const ms of world.waits.slice(0, 2)) expect(ms).toBeLessThanOrEqual(2_000);
    // Half of 5 s · 2² and of 5 s · 2³ at least.
    expect(world.waits[2]).toBeGreaterThanOrEqual(10_000);
    expect(world.waits[3]).toBeGreaterThanOrEqual(20_000);
  });

  it('is sent once where it has one attempt', async () => {
    expect(await failure(post(1))).toMatchObject({ name: 'UnknownOutcomeError' });
    expect(world.server.received).toHaveLength(1);
    expect(world.waits).toEqual([]);
  });

  it('resolves as soon as one arrives', async () => {
    world.server.script(LOST, LOST, { status: 201 });
    expect((await post(4)).status).toBe(201);
    expect(world.server.received).toHaveLength(3);
  });
});
