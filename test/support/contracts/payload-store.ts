/** What every PayloadStore must do. */
import { expect, test } from 'vitest';
import type { PayloadRemoval, PayloadStore } from '../../../src/engine/ports.ts';

export function payloadStoreContract(open: () => Promise<PayloadStore & PayloadRemoval>): void {
  test('bytes come back as they were put', async () => {
    const store = await open();
    const all = Uint8Array.from({ length: 256 }, (_, index) => index);
    await store.put('runs/run_1/a b+c=ü', all);
    expect([...(await store.get('runs/run_1/a b+c=ü'))]).toEqual([...all]);
    await store.put('empty', new Uint8Array());
    expect((await store.get('empty')).length).toBe(0);
  });

  test('ten megabytes come back as they were put', async () => {
    const store = await open();
    const large = new Uint8Array(10 * 1024 * 1024).fill(7);
    large[large.length - 1] = 9;
    await store.put('large', large);
    const found = await store.get('large');
    expect([found.length, found[0], found.at(-1)]).toEqual([large.length, 7, 9]);
  });

  test('putting the same again changes nothing', async () => {
    const store = await open();
    await Promise.all(Array.from({ length: 4 }, () => store.put('key', new Uint8Array([1, 2, 3]))));
    await store.put('key', new Uint8Array([1, 2, 3]));
    expect([...(await store.get('key'))]).toEqual([1, 2, 3]);
  });

  test('a payload that is not there is an error that names it', async () => {
    const store = await open();
    await expect(store.get('nothing/here')).rejects.toMatchObject({
      code: 'E_PAYLOAD_MISSING',
      message: expect.stringContaining('nothing/here'),
    });
  });

  test('everything under a prefix is removed, and nothing beside it', async () => {
    const store = await open();
    const keys = ['runs/run_1/a', 'runs/run_1/b/c', 'runs/run_10/a', 'runs/run_2/a'];
    for (const key of keys) await store.put(key, new Uint8Array([1]));
    await store.removeAll('runs/run_1/');
    await store.removeAll('runs/nothing/');
    await expect(store.get('runs/run_1/a')).rejects.toMatchObject({ code: 'E_PAYLOAD_MISSING' });
    await expect(store.get('runs/run_1/b/c')).rejects.toMatchObject({ code: 'E_PAYLOAD_MISSING' });
    expect((await store.get('runs/run_10/a')).length + (await store.get('runs/run_2/a')).length).toBe(2);
  });
}
