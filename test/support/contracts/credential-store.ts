/** What every CredentialStore must do. */
import { expect, test } from 'vitest';
import type { CredentialStore } from '../../../src/engine/credential-ports.ts';

const NOW = Date.UTC(2026, 0, 1);
const ACME = { connection: 'crm', account: 'acme' };
const OWN = { connection: 'crm' };
const ok = (sealed: string) => ({ status: 'ok', sealed, updatedAt: NOW }) as const;

export function credentialStoreContract(open: () => Promise<CredentialStore>): void {
  test('a credential comes back as it was put, under versions that rise', async () => {
    const store = await open();
    expect(await store.get(ACME)).toBeUndefined();
    const everything = { ...ok('hf1.a'), validUntil: NOW + 1, forcedAt: NOW + 2 };
    expect(await store.put(ACME, everything)).toBe(1);
    expect(await store.get(ACME)).toEqual({ ...everything, version: 1 });
    expect(await store.put(ACME, ok('hf1.b'))).toBe(2);
    expect(await store.get(ACME)).toEqual({ ...ok('hf1.b'), version: 2 });
    expect(await store.get(OWN)).toBeUndefined();
  });

  test('is replaced only at the version that was seen, nothing being version 0', async () => {
    const store = await open();
    expect(await store.replace(OWN, 1, ok('early'))).toBe(false);
    expect(await store.replace(OWN, 0, ok('a'))).toBe(true);
    expect(await store.replace(OWN, 0, ok('late'))).toBe(false);
    expect(await store.replace(OWN, 1, { status: 'revoked', updatedAt: NOW })).toBe(true);
    expect(await store.get(OWN)).toEqual({ status: 'revoked', updatedAt: NOW, version: 2 });
  });

  test('a lease is one owner’s until its end, whatever is or is not there', async () => {
    const store = await open();
    const lease = (owner: string, now: number, expect = 0) => store.lease(ACME, expect, { owner, until: now + 100, now });
    expect(await lease('a', 0)).toBe('held');
    expect(await lease('b', 99)).toBe('taken');
    expect(await lease('a', 50)).toBe('held');
    expect(await lease('b', 150)).toBe('held');
    expect(await store.get(ACME)).toBeUndefined();
    expect(await store.replace(ACME, 0, ok('a'))).toBe(true);
    expect(await lease('c', 160)).toBe('moved');
    expect(await lease('c', 160, 1)).toBe('held');
    await store.put(ACME, ok('b'));
    expect(await lease('d', 161, 2)).toBe('held');
  });

  test('of many at once one gets the lease', async () => {
    const store = await open();
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) => store.lease(ACME, 0, { owner: `o${i}`, until: NOW + 100, now: NOW })),
    );
    expect(all.filter((answer) => answer === 'held')).toHaveLength(1);
  });

  test('a lease is let go by its owner alone', async () => {
    const store = await open();
    await store.lease(ACME, 0, { owner: 'a', until: 1_000, now: 0 });
    await store.release(ACME, 'b', 10);
    expect(await store.lease(ACME, 0, { owner: 'b', until: 1_000, now: 20 })).toBe('taken');
    await store.release(ACME, 'a', 10);
    expect(await store.lease(ACME, 0, { owner: 'b', until: 1_000, now: 20 })).toBe('held');
    await store.release({ connection: 'none' }, 'a', 10);
    expect(await store.get({ connection: 'none' })).toBeUndefined();
  });

  test('one that is removed is there no more, and its version is never given again', async () => {
    const store = await open();
    expect(await store.remove(ACME, NOW)).toBe(false);
    await store.put(ACME, { ...ok('a'), validUntil: NOW });
    expect(await store.remove(ACME, NOW + 1)).toBe(true);
    expect(await store.remove(ACME, NOW + 2)).toBe(false);
    expect(await store.get(ACME)).toEqual({ status: 'none', updatedAt: NOW + 1, version: 2 });
    expect((await store.list('crm', { limit: 10 })).items).toEqual([]);
    expect(await store.put(ACME, ok('b'))).toBe(3);
    expect(await store.get(ACME)).toEqual({ ...ok('b'), version: 3 });
  });

  test('runs that wait are noted once each, and no longer when they are told', async () => {
    const store = await open();
    const run = (digit: string) => `run_${digit.repeat(32)}`;
    for (const digit of ['b', 'a', 'b']) await store.wait(ACME, run(digit));
    await store.wait({ connection: 'crm', account: 'acme2' }, run('c'));
    expect(await store.waiters(ACME)).toEqual([run('a'), run('b')]);
    expect(await store.get(ACME)).toBeUndefined();
    await store.unwait(ACME, [run('a'), run('d')]);
    expect(await store.waiters(ACME)).toEqual([run('b')]);
  });

  test('accounts are listed with who waits for them, page by page, however they are called', async () => {
    const store = await open();
    const names = ['!', '#', '%', '%23', '-', 'a', 'a#', 'a#b', 'a!', 'acme', 'ünï', '雪'.repeat(256), ' '];
    for (const account of names) await store.put({ connection: 'crm', account }, ok(account));
    await store.put(OWN, ok('own'));
    await store.put({ connection: 'crm2', account: 'other' }, ok('other'));
    await store.wait({ connection: 'crm', account: 'a' }, `run_${'1'.repeat(32)}`);
    await store.wait({ connection: 'crm', account: 'a' }, `run_${'2'.repeat(32)}`);
    await store.wait({ connection: 'crm', account: 'nobody' }, `run_${'3'.repeat(32)}`);
    await store.lease({ connection: 'crm', account: 'leased' }, 0, { owner: 'o', until: 1, now: 0 });
    const seen = [];
    let after: string | undefined;
    do {
      const page = await store.list('crm', { limit: 4, ...(after === undefined ? {} : { after }) });
      expect(page.items.length).toBeLessThanOrEqual(4);
      seen.push(...page.items);
      after = page.next;
    } while (after !== undefined);
    expect(seen.map(({ account }) => account).sort()).toEqual([...names, 'nobody'].sort());
    expect(seen.find(({ account }) => account === 'a')).toEqual({ account: 'a', version: 1, status: 'ok', updatedAt: NOW, waiting: 2 });
    expect(seen.find(({ account }) => account === 'nobody')).toEqual({ account: 'nobody', version: 0, status: 'none', waiting: 1 });
    expect(await store.list('crm', { limit: 100 })).toEqual({ items: seen });
  });

  test('one that was removed is listed while somebody waits for it', async () => {
    const store = await open();
    await store.put(ACME, ok('a'));
    await store.remove(ACME, NOW + 5);
    await store.wait(ACME, `run_${'1'.repeat(32)}`);
    expect((await store.list('crm', { limit: 1 })).items).toEqual([
      { account: 'acme', version: 2, status: 'none', updatedAt: NOW + 5, waiting: 1 },
    ]);
  });
}
