/** What every TokenStore must do. */
import { expect, test } from 'vitest';
import type { Token, TokenStore } from '../../../src/engine/ports.ts';

const NOW = Date.UTC(2026, 0, 1);
const hash = (digit: string) => digit.repeat(64);

export function tokenStoreContract(open: () => Promise<TokenStore>): void {
  const everything: Token = {
    hash: hash('a'),
    name: 'CI of acme',
    scopes: ['start', 'read'],
    tenant: 'acme',
    createdAt: NOW + 123,
    expiresAt: NOW + 86_400_000,
  };
  const little: Token = { hash: hash('b'), name: 'Grace', scopes: ['operate'], createdAt: NOW };

  test('a token comes back as it was put, with all that it has and nothing else', async () => {
    const store = await open();
    await store.put(everything);
    await store.put(little);
    expect(await store.find(everything.hash)).toEqual(everything);
    expect(await store.find(little.hash)).toEqual(little);
  });

  test('a token that is not there is not found', async () => {
    const store = await open();
    expect(await store.find(hash('c'))).toBeUndefined();
    expect(await store.list()).toEqual([]);
  });

  test('one that has expired may still be found, with its time', async () => {
    const store = await open();
    await store.put({ ...little, expiresAt: 1_000 });
    expect(await store.find(little.hash)).toEqual({ ...little, expiresAt: 1_000 });
  });

  test('a second one with the same hash is refused, and the first stays', async () => {
    const store = await open();
    await store.put(little);
    await expect(store.put({ ...everything, hash: little.hash })).rejects.toMatchObject({ code: 'E_BAD_OPTION' });
    expect(await store.find(little.hash)).toEqual(little);
  });

  test('all of them are listed, in order of their hashes', async () => {
    const store = await open();
    await store.put(little);
    await store.put(everything);
    expect(await store.list()).toEqual([everything, little]);
  });

  test('more than one answer holds are listed whole', async () => {
    const store = await open();
    // An answer of DynamoDB's holds a megabyte.
    const name = 'n'.repeat(200_000);
    for (const digit of '0123456789') await store.put({ ...little, hash: hash(digit), name });
    expect((await store.list()).map((token) => token.hash[0]).join('')).toBe('0123456789');
  });

  test('one that is removed is gone, and another removal says so', async () => {
    const store = await open();
    await store.put(little);
    expect(await store.remove(little.hash)).toBe(true);
    expect(await store.find(little.hash)).toBeUndefined();
    expect(await store.remove(little.hash)).toBe(false);
  });
}
