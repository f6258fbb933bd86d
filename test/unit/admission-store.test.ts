import { describe, expect, it } from 'vitest';
import { memoryAdmissionStore } from '../../src/admission/memory-store.ts';
import { memoryAdmissionStore as brittle } from '../../src/testing/memory-admission-store.ts';
import { admissionStoreContract } from '../support/contracts/admission-store.ts';

describe('the admission store in memory', () => admissionStoreContract(async () => memoryAdmissionStore()));

describe('the admission store that can be broken', () => {
  admissionStoreContract(async () => brittle());

  it('breaks before a change, which is then not made, and after it, which then is', async () => {
    const lost = () => {
      throw new Error('lost');
    };
    const key = { connection: 'crm' };
    const store = memoryAdmissionStore();
    await expect(brittle({ before: lost }, store).change(key, { add: { r1: 1 } })).rejects.toThrow('lost');
    expect(await store.read(key)).toEqual({});
    await expect(brittle({ after: lost }, store).change(key, { add: { r1: 1 } })).rejects.toThrow('lost');
    expect(await store.read(key)).toEqual({ r1: 1 });
  });
});
