/** What every AdmissionStore must do. */
import { describe, expect, test } from 'vitest';
import type { AdmissionChange, AdmissionCondition, AdmissionRecord, AdmissionStore } from '../../../src/engine/admission-ports.ts';

const NOW = Date.UTC(2026, 0, 1);
const ACME = { connection: 'crm', account: 'acme' };
const OWN = { connection: 'crm' };
const lease = (owner: string, until: number, place = 0) => ({ place, owner, until });

export function admissionStoreContract(open: () => Promise<AdmissionStore>): void {
  describe('a record', () => {
    test('is empty where there is none, and of its connection and account alone', async () => {
      const store = await open();
      expect(await store.read(ACME)).toEqual({});
      expect(await store.change(ACME, { set: { tat0: 1 } })).toEqual({ ok: true, record: { tat0: 1 } });
      expect(await store.read(ACME)).toEqual({ tat0: 1 });
      for (const other of [OWN, { connection: 'crm', account: 'acme2' }, { connection: 'crm2', account: 'acme' }]) {
        expect(await store.read(other)).toEqual({});
      }
    });

    test('is set, added to and removed from in one change', async () => {
      const store = await open();
      await store.change(ACME, { set: { tat0: NOW, r1: 3, heldBy: 'ann', heldWhy: 'night', gone: 1 } });
      const change = {
        set: { tat0: NOW + 0.125, heldBy: 'bob', status: 'reserved', size: 2 },
        add: { r1: 2, r2: 5, 'f-2.x': 1 },
        remove: ['heldWhy', 'gone', 'never'],
        when: [{ name: 'tat0', is: '<=', value: NOW }],
      } as const;
      const record = { tat0: NOW + 0.125, r1: 5, r2: 5, 'f-2.x': 1, heldBy: 'bob', status: 'reserved', size: 2 };
      expect(await store.change(ACME, change)).toEqual({ ok: true, record });
      expect(await store.read(ACME)).toEqual(record);
      expect(await store.change(ACME, { add: { r1: -5 } })).toMatchObject({ record: { r1: 0 } });
    });

    test('keeps numbers as they are, however large, small or fractional', async () => {
      const store = await open();
      const numbers = { a: 0, b: -1, c: NOW + 1_000 / 3, d: Number.MAX_SAFE_INTEGER, e: 1e-7, f: 1.5e21 };
      expect((await store.change(ACME, { set: numbers })).record).toEqual(numbers);
    });

    test('is made by a change of nothing, whose conditions hold', async () => {
      const store = await open();
      expect(await store.change(ACME, {})).toEqual({ ok: true, record: {} });
      expect(await store.change(ACME, { when: [{ name: 'tat0', is: 'absent' }] })).toEqual({ ok: true, record: {} });
      expect(await store.change(ACME, { when: [{ name: 'tat0', is: '=', value: 1 }] })).toEqual({ ok: false, record: {} });
    });

    test('is as it was when a condition does not hold, and shown as it is', async () => {
      const store = await open();
      const refused: AdmissionChange = { set: { tat0: 9 }, add: { r1: 1 }, remove: ['by'], when: [{ name: 'tat0', is: '=', value: 1 }] };
      expect(await store.change(ACME, refused)).toEqual({ ok: false, record: {} });
      expect(await store.read(ACME)).toEqual({});
      expect((await store.list('crm', { limit: 1 })).items).toEqual([]);
      await store.change(ACME, { set: { tat0: 2, by: 'ann' } });
      expect(await store.change(ACME, refused)).toEqual({ ok: false, record: { tat0: 2, by: 'ann' } });
      expect(await store.read(ACME)).toEqual({ tat0: 2, by: 'ann' });
    });

    test('is changed only where all conditions hold, several of one attribute among them', async () => {
      const store = await open();
      await store.change(ACME, { set: { tat0: 5 } });
      const between = (low: number, high: number): AdmissionCondition[] => [
        { name: 'tat0', is: '>=', value: low },
        { name: 'tat0', is: '<=', value: high },
        { name: 'breaker', is: 'absent' },
        { name: 'resumeAt', is: '<=', value: NOW, orAbsent: true },
      ];
      expect((await store.change(ACME, { add: { tat0: 1 }, when: between(5, 5) })).ok).toBe(true);
      expect((await store.change(ACME, { add: { tat0: 1 }, when: between(5, 5) })).ok).toBe(false);
      expect(await store.read(ACME)).toEqual({ tat0: 6 });
    });
  });

  describe('a condition', () => {
    const there: AdmissionRecord = { n: 5, t: 'b' };
    const is = (name: string, how: '=' | '<' | '<=' | '>=', value: number | string, orAbsent?: boolean): AdmissionCondition => ({
      name,
      is: how,
      value,
      ...(orAbsent === undefined ? {} : { orAbsent }),
    });
    test.each<[string, AdmissionCondition[], boolean]>([
      ['absent, of what is not there', [{ name: 'x', is: 'absent' }], true],
      ['absent, of what is there', [{ name: 'n', is: 'absent' }], false],
      ['=, the same', [is('n', '=', 5), is('t', '=', 'b')], true],
      ['=, another number', [is('n', '=', 6)], false],
      ['=, another text', [is('t', '=', 'a')], false],
      ['=, a text for a number', [is('n', '=', '5')], false],
      ['<, below', [is('n', '<', 6), is('t', '<', 'c')], true],
      ['<, the same', [is('n', '<', 5)], false],
      ['<, above', [is('n', '<', 4)], false],
      ['<=, the same', [is('n', '<=', 5), is('t', '<=', 'b')], true],
      ['<=, above', [is('n', '<=', 4)], false],
      ['>=, the same', [is('n', '>=', 5), is('t', '>=', 'b')], true],
      ['>=, below', [is('n', '>=', 6)], false],
      ['<=, a number for a text', [is('t', '<=', 9)], false],
      ['>=, a number for a text', [is('t', '>=', 9)], false],
      ['=, of what is not there', [is('x', '=', 0)], false],
      ['<, of what is not there', [is('x', '<', 1)], false],
      ['<=, of what is not there', [is('x', '<=', 1)], false],
      ['>=, of what is not there', [is('x', '>=', 0)], false],
      ['or absent, of what is not there', (['=', '<', '<=', '>='] as const).map((how) => is('x', how, 1, true)), true],
      ['or absent, of what is there and right', [is('n', '=', 5, true), is('n', '<=', 9, true)], true],
      ['or absent, of what is there and wrong', [is('n', '=', 6, true)], false],
      ['two, of which one does not hold', [is('n', '=', 5), is('t', '=', 'x')], false],
      ['or absent beside one that does not hold', [is('n', '=', 6), is('x', '=', 1, true)], false],
    ])('%s', async (_, when, holds) => {
      const store = await open();
      await store.change(ACME, { set: there });
      expect(await store.change(ACME, { set: { y: 1 }, when })).toEqual({ ok: holds, record: holds ? { ...there, y: 1 } : there });
    });
  });

  test('forty that take at once get slots that do not overlap, and every one is counted', async () => {
    const store = await open();
    const [first, each, rounds] = [NOW, 2, 5];
    async function taker(): Promise<number[]> {
      const got = [];
      while (got.length < rounds) {
        const ahead = await store.change(ACME, {
          add: { tat0: each, r1: 1 },
          when: [{ name: 'tat0', is: '>=', value: first }],
        });
        if (ahead.ok) {
          got.push(Number(ahead.record.tat0) - each);
          continue;
        }
        const late: AdmissionCondition = { name: 'tat0', is: '<', value: first, orAbsent: true };
        const fresh = await store.change(ACME, { set: { tat0: first + each }, add: { r1: 1 }, when: [late] });
        if (fresh.ok) got.push(first);
      }
      return got;
    }
    const slots = (await Promise.all(Array.from({ length: 40 }, taker))).flat().sort((a, b) => a - b);
    expect(slots).toEqual(Array.from({ length: 40 * rounds }, (_, i) => first + i * each));
    expect(await store.read(ACME)).toEqual({ tat0: first + 40 * rounds * each, r1: 40 * rounds });
  });

  describe('a place', () => {
    test('goes to one of many that want it at once', async () => {
      const store = await open();
      const all = await Promise.all(Array.from({ length: 20 }, (_, i) => store.take(ACME, lease(`o${i}`, NOW + 100), NOW)));
      expect(all.filter(Boolean)).toHaveLength(1);
      expect(await store.places(ACME)).toEqual([lease(`o${all.indexOf(true)}`, NOW + 100)]);
    });

    test('is its owner’s until its end, and whoever’s then', async () => {
      const store = await open();
      expect(await store.take(ACME, lease('a', NOW + 100), NOW)).toBe(true);
      expect(await store.take(ACME, lease('b', NOW + 200), NOW + 99)).toBe(false);
      expect(await store.take(ACME, lease('a', NOW + 150), NOW + 99)).toBe(true);
      expect(await store.take(ACME, lease('b', NOW + 250), NOW + 149)).toBe(false);
      expect(await store.take(ACME, lease('b', NOW + 250), NOW + 150)).toBe(true);
      expect(await store.places(ACME)).toEqual([lease('b', NOW + 250)]);
    });

    test('is handed over by its owner in one step, and by nobody else', async () => {
      const store = await open();
      await store.take(ACME, lease('a', NOW + 100), NOW);
      expect(await store.take(ACME, lease('c', NOW + 300), NOW, 'b')).toBe(false);
      expect(await store.take(ACME, lease('b', NOW + 200), NOW, 'a')).toBe(true);
      expect(await store.take(ACME, lease('c', NOW + 300), NOW, 'a')).toBe(false);
      expect(await store.places(ACME)).toEqual([lease('b', NOW + 200)]);
      expect(await store.take(ACME, lease('d', NOW + 300, 1), NOW, 'nobody')).toBe(true);
    });

    test('is given back by its owner alone', async () => {
      const store = await open();
      await store.take(ACME, lease('a', NOW + 100), NOW);
      await store.give(ACME, 0, 'b');
      await store.give(ACME, 1, 'a');
      await store.give(OWN, 0, 'a');
      expect(await store.take(ACME, lease('b', NOW + 100), NOW)).toBe(false);
      await store.give(ACME, 0, 'a');
      await store.give(ACME, 0, 'a');
      expect(await store.places(ACME)).toEqual([]);
      expect(await store.take(ACME, lease('b', NOW + 100), NOW)).toBe(true);
    });

    test('is of its connection and account alone, and no part of the record', async () => {
      const store = await open();
      const keys = [OWN, ACME, { connection: 'crm', account: 'acme2' }, { connection: 'crm', account: 'a#%' }];
      for (const [i, key] of keys.entries()) {
        for (const place of [10, 2, i]) expect(await store.take(key, lease(`o${i}`, NOW + 1, place), NOW)).toBe(true);
        expect(await store.read(key)).toEqual({});
      }
      for (const [i, key] of keys.entries()) {
        const places = [...new Set([10, 2, i])].sort((a, b) => a - b);
        expect(await store.places(key)).toEqual(places.map((place) => lease(`o${i}`, NOW + 1, place)));
      }
      expect(await store.list('crm', { limit: 10 })).toEqual({ items: [] });
    });
  });

  test('accounts with a record are listed page by page, however they are called', async () => {
    const store = await open();
    const names = ['', '!', '#', '%', '%23', '-', 'a', 'a#', 'a#b', 'a!', 'acme', 'ünï', '雪'.repeat(256), ' '];
    for (const account of names) {
      await store.change(account === '' ? OWN : { connection: 'crm', account }, { set: { name: `of ${account}` } });
      await store.take(account === '' ? OWN : { connection: 'crm', account }, lease('o', NOW, 3), 0);
    }
    await store.take({ connection: 'crm', account: 'places only' }, lease('o', NOW), 0);
    await store.change({ connection: 'crm2', account: 'other' }, { set: { name: 'other' } });
    const seen = [];
    let after: string | undefined;
    do {
      const page = await store.list('crm', { limit: 4, ...(after === undefined ? {} : { after }) });
      expect(page.items.length).toBeLessThanOrEqual(4);
      seen.push(...page.items);
      after = page.next;
    } while (after !== undefined);
    expect(seen.map(({ account }) => account).sort()).toEqual([...names].sort());
    for (const { account, record } of seen) expect(record).toEqual({ name: `of ${account}` });
    expect(await store.list('crm', { limit: 100 })).toEqual({ items: seen });
    expect(await store.list('crm', { limit: names.length })).toEqual({ items: seen });
    expect(await store.list('none', { limit: 1 })).toEqual({ items: [] });
  });
}
