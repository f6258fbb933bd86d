/**
 * A fleet over one store of credentials whose processes die anywhere, whose store loses requests and answers, and whose token endpoint
 * fails: whatever happens, the next one that lives gets a token, and a refresh token that was rotated is never lost to anybody but death.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CredentialStore } from '../../src/engine/credential-ports.ts';
import { oauth2RefreshToken } from '../../src/http/auth/oauth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { memoryCredentialStore } from '../../src/testing/memory-credential-store.ts';
import { fleet } from '../support/fleet.ts';
import { tokenServer } from '../support/token-server.ts';

const HOUR = 3_600_000;
const DEAD = () => new Promise<never>(() => {});

/** What meets an operation of the store: nothing, a request or an answer that is lost, or the death of who asked, before or after. */
type Fate = 'fine' | 'lost request' | 'lost answer' | 'dies before' | 'dies after';
const OPS = ['get', 'lease', 'replace', 'release'] as const;

function fated(store: CredentialStore, fates: Fate[], died: () => void): CredentialStore {
  const meet =
    (op: (typeof OPS)[number]) =>
    async (...args: unknown[]): Promise<unknown> => {
      const fate = fates.shift() ?? 'fine';
      const apply = () => (store[op] as (...given: unknown[]) => Promise<unknown>)(...args);
      if (fate === 'lost request') throw new Error('lost');
      if (fate === 'dies before') {
        died();
        return DEAD();
      }
      const result = await apply();
      if (fate === 'lost answer') throw new Error('lost');
      if (fate === 'dies after') {
        died();
        return DEAD();
      }
      return result;
    };
  return { ...store, ...Object.fromEntries(OPS.map((op) => [op, meet(op)])) } as CredentialStore;
}

const fate = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Fate>('fine') },
  { weight: 1, arbitrary: fc.constantFrom<Fate>('lost request', 'lost answer', 'dies before', 'dies after') },
);
const step = fc.record({
  fates: fc.array(fate, { maxLength: 8 }),
  /** Processes that ask at once. */
  asking: fc.integer({ min: 1, max: 4 }),
  refused: fc.boolean(),
  failing: fc.integer({ min: 0, max: 1 }),
});

test('whoever dies, the lease is free again and the refresh token is the last one', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), async (steps) => {
      const server = await tokenServer();
      server.refreshTokens.add('refresh-token-1');
      server.rotates = true;
      // As providers do (RFC 9700, section 4.14.2, allows it): the one before is good until its successor is used.
      let before: string | undefined;
      let failing = 0;
      server.answer = ({ form }) => {
        if (failing-- > 0) return { status: 503, body: '' };
        const asked = form.refresh_token ?? '';
        if (server.refreshTokens.has(asked)) before = asked;
        else if (asked === before) server.refreshTokens.add(asked);
        return undefined;
      };
      const store = memoryCredentialStore();
      const world = fleet(store);
      const options = {
        name: 'crm',
        baseUrl: server.url,
        auth: oauth2RefreshToken({
          tokenUrl: server.tokenUrl,
          clientId: 'id',
          clientSecret: secret('crm/client'),
          refreshToken: secret('crm/refresh'),
        }),
      };
      try {
        for (const { fates, asking, refused, failing: fails } of steps) {
          failing = fails;
          if (refused) server.good.clear();
          const shared = [...fates];
          await Promise.all(
            Array.from({ length: asking }, async () => {
              let died: () => void = () => {};
              const death = new Promise<'died'>((now) => {
                died = () => now('died');
              });
              const one = world.start({ ...options, timeout: '250ms' }, { credentials: fated(store, shared, () => died()) });
              await Promise.race([one.get().catch(() => 'failed'), death]);
            }),
          );
          world.skip(26_000);
        }
        failing = 0;
        // No lease outlives who held it by longer than that.
        expect(await world.start(options).get()).toBe(200);
        world.skip(HOUR);
        // Whatever they did: the next one works, at the first try, and so does the one after the next expiry.
        for (let i = 0; i < 2; i++) {
          const mints = server.mints.length;
          const survivor = world.start(options);
          expect(await survivor.get()).toBe(200);
          expect(server.mints.length).toBeGreaterThan(mints);
          // One that had given up may still have been at it, as a frozen process may be: it is not the survivor's doing.
          expect(server.mints.length - mints).toBeLessThanOrEqual(2);
          world.skip(HOUR);
        }
        expect(JSON.stringify(await store.get({ connection: 'crm' }))).not.toMatch(/access-token|refresh-token/);
      } finally {
        await world.close();
        await server.close();
      }
    }),
    { numRuns: 40, interruptAfterTimeLimit: 60_000 },
  );
});

test('tokens that are refused here and there are replaced once each, whatever the order', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ who: fc.nat(3), revoke: fc.boolean() }), { minLength: 4, maxLength: 16 }), async (moves) => {
      const server = await tokenServer();
      server.refreshTokens.add('refresh-token-1');
      const world = fleet(memoryCredentialStore());
      const auth = oauth2RefreshToken({ tokenUrl: server.tokenUrl, clientId: 'id', refreshToken: secret('crm/refresh') });
      const all = Array.from({ length: 4 }, () => world.start({ name: 'crm', baseUrl: server.url, auth }));
      try {
        await Promise.all(all.map(({ get }) => get()));
        let revoked = 0;
        for (const { who, revoke } of moves) {
          if (revoke && server.good.size > 0) {
            server.good.clear();
            revoked += 1;
            // A token that replaced a refused one is not doubted for ten seconds.
            world.skip(11_000);
          }
          expect(await all[who]?.get()).toBe(200);
        }
        expect(server.mints.length).toBeLessThanOrEqual(1 + revoked);
      } finally {
        await world.close();
        await server.close();
      }
    }),
    { numRuns: 25 },
  );
});
