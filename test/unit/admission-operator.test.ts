import { describe, expect, it } from 'vitest';
import { memoryAdmissionStore } from '../../src/admission/memory-store.ts';
import { connectionDesk } from '../../src/admission/operator.ts';
import { raiseGate } from '../../src/admission/stops.ts';
import type { AdmissionKey, AdmissionStore } from '../../src/engine/admission-ports.ts';
import { virtualClock } from '../../src/testing/index.ts';

const CRM = { connection: 'crm' };
const WORD = { by: 'ada', why: 'they migrate' };

function world(over: (store: AdmissionStore) => Partial<AdmissionStore> = () => ({})) {
  const clock = virtualClock();
  const store = memoryAdmissionStore();
  const deployed = [
    { name: 'crm', limits: [{ requests: 10, per: 1_000, burst: 1 }], concurrency: 0, perAccount: false },
    { name: 'billing', limits: [], concurrency: 3, perAccount: false },
  ];
  const gate = async (until: number, key: AdmissionKey = CRM) => {
    const change = raiseGate(await store.read(key), until, clock.now());
    if (change) expect((await store.change(key, change)).ok).toBe(true);
  };
  return { clock, store, gate, desk: connectionDesk({ store: { ...store, ...over(store) }, clock, deployed }) };
}

describe('a hold', () => {
  it('stops a connection until it is released', async () => {
    const { desk, clock } = world();
    expect(await desk.hold(CRM, WORD)).toMatchObject({ connection: 'crm', state: 'held', hold: { ...WORD, since: clock.now() } });
    clock.advance(3_600_000);
    expect(await desk.show(CRM)).toMatchObject({ state: 'held' });
    expect(await desk.release(CRM)).toMatchObject({ released: true, connection: { state: 'slow-start' } });
    clock.advance(1_500);
    expect((await desk.show(CRM)).state).toBe('open');
  });

  it('made again says who did so last, and moves no line', async () => {
    const { desk, clock, store } = world();
    await desk.hold(CRM, WORD);
    const { base } = await store.read(CRM);
    clock.advance(1_000);
    expect(await desk.hold(CRM, { by: 'bob', why: 'still' })).toMatchObject({ hold: { by: 'bob', why: 'still', since: clock.now() } });
    expect((await store.read(CRM)).base).toBe(base);
  });

  it('of an account leaves the connection and other accounts alone', async () => {
    const { desk } = world();
    await desk.hold({ connection: 'crm', account: 'acme' }, WORD);
    expect((await desk.show(CRM)).state).toBe('open');
    expect((await desk.show({ connection: 'crm', account: 'other' })).state).toBe('open');
    expect((await desk.accounts('crm', { limit: 10 })).items).toMatchObject([{ account: 'acme', state: 'held' }]);
  });

  it('is made although a gate rises meanwhile, and the gate stays', async () => {
    let rise: (() => Promise<void>) | undefined;
    const { desk, gate, clock } = world((store) => ({
      async change(key, change) {
        const rising = rise;
        rise = undefined;
        await rising?.();
        return store.change(key, change);
      },
    }));
    const until = clock.now() + 60_000;
    rise = () => gate(until);
    expect(await desk.hold(CRM, WORD)).toMatchObject({ state: 'held', gate: { until: until + 100 } });
    rise = () => gate(until + 5_000);
    expect(await desk.release(CRM)).toMatchObject({ released: true, connection: { state: 'gated', gate: { until: until + 5_100 } } });
  });

  it('is given up when the record never stands still, and says so', async () => {
    const { desk } = world((store) => ({ change: async (key) => ({ ok: false, record: await store.read(key) }) }));
    await expect(desk.hold(CRM, WORD)).rejects.toThrow('changed 20 times');
  });
});

describe('a release', () => {
  it('of what nobody holds changes nothing, and leaves no record', async () => {
    const { desk, store } = world();
    expect(await desk.release({ connection: 'crm', account: 'nobody' })).toMatchObject({ released: false, connection: { state: 'open' } });
    expect((await store.list('crm', { limit: 10 })).items).toEqual([]);
  });

  it('is made although what was read is older than the hold', async () => {
    const { desk } = world(() => ({ read: async () => ({}) }));
    await desk.hold(CRM, WORD);
    expect(await desk.release(CRM)).toMatchObject({ released: true });
  });

  it('made twice at once happens once', async () => {
    const { desk } = world();
    await desk.hold(CRM, WORD);
    const both = await Promise.all([desk.release(CRM), desk.release(CRM)]);
    expect(both.map(({ released }) => released).sort()).toEqual([false, true]);
  });
});

describe('the list', () => {
  it('pages by name', async () => {
    const { desk } = world();
    const first = await desk.list({ limit: 1 });
    expect(first).toMatchObject({ items: [{ connection: 'billing' }], next: 'billing' });
    const last = await desk.list({ limit: 1, after: 'billing' });
    expect(last.items).toMatchObject([{ connection: 'crm' }]);
    expect(last.next).toBeUndefined();
  });

  it('of accounts pages, without the connection itself', async () => {
    const { desk, gate, clock } = world();
    for (const account of [undefined, 'a', 'ç', 'b']) await gate(clock.now() + 1_000, { ...CRM, ...(account ? { account } : {}) });
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await desk.accounts('crm', { limit: 1, ...(after === undefined ? {} : { after }) });
      seen.push(...page.items.map(({ account }) => account ?? 'own'));
      after = page.next;
    } while (after !== undefined);
    expect(seen).toEqual(['a', 'b', 'ç']);
  });
});

it('tells how many calls are in flight, where they are counted', async () => {
  const { desk, store, clock } = world();
  const key = { connection: 'billing' };
  for (const [place, lasts] of [
    [0, 1_000],
    [1, 5_000],
  ] as const)
    await store.take(key, { place, owner: `o${place}`, until: clock.now() + lasts }, clock.now());
  expect((await desk.show(key)).concurrency).toEqual({ allowed: 3, inUse: 2 });
  clock.advance(1_000);
  expect((await desk.show(key)).concurrency).toEqual({ allowed: 3, inUse: 1 });
  expect((await desk.show(CRM)).concurrency).toBeUndefined();
});
