import { expect, it } from 'vitest';
import { accountSecret } from '../../src/http/auth/account.ts';
import { bearer } from '../../src/http/auth/auth.ts';
import { connection, deployedConnection } from '../../src/http/connection.ts';

it('what is deployed of a connection are its name, its limits, and whether it is called for accounts alone', () => {
  const limited = connection({
    name: 'crm',
    baseUrl: 'https://crm.example',
    rateLimit: [
      { requests: 100, per: '1s' },
      { requests: 5_000, per: '1 day' },
    ],
  });
  expect(deployedConnection(limited)).toEqual({
    name: 'crm',
    limits: [
      { requests: 100, per: 1_000, burst: 1 },
      { requests: 5_000, per: 86_400_000, burst: 1 },
    ],
    concurrency: 0,
    perAccount: false,
  });
  const shop = connection({ name: 'shop', baseUrl: 'https://shop.example', auth: bearer(accountSecret()) });
  expect(deployedConnection(shop)).toEqual({ name: 'shop', limits: [], concurrency: 0, perAccount: true });
  expect(() => deployedConnection({ ...limited })).toThrow('is not made by connection()');
});
