import Stripe from 'stripe';
import { afterEach, describe, expect, it } from 'vitest';
import { workflow } from '../../src/engine/workflow.ts';
import { bearer } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { connection } from '../../src/http/connection.ts';
import { killedEverywhere, type Mortal, mortal } from '../support/engine/mortal.ts';
import { harness } from '../support/http.ts';
import type { Fate } from '../support/providers/server.ts';
import { stripeServer } from '../support/providers/stripe.ts';

const secrets = { 'stripe/key': 'sk_test_of_the_connection' };
type Server = Awaited<ReturnType<typeof stripeServer>>;
const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(): Promise<Server> {
  const server = await stripeServer();
  servers.push(server);
  return server;
}

const payments = (url: string, more = {}) =>
  connection({
    name: 'stripe',
    baseUrl: url,
    auth: bearer(secret('stripe/key')),
    idempotencyKey: { header: 'Idempotency-Key' },
    ...more,
  });

const sdk = ({ url, port }: Server, fetch = payments(url).fetch, maxNetworkRetries = 0) =>
  new Stripe('sk_test_unused', {
    host: '127.0.0.1',
    port,
    protocol: 'http',
    httpClient: Stripe.createFetchHttpClient(fetch as typeof globalThis.fetch),
    maxNetworkRetries,
  });

/** Reads all customers, makes one, and charges it twice the same. */
function checkout(server: Server, stripe = sdk(server)) {
  return workflow({
    name: 'checkout',
    async run() {
      const emails: string[] = [];
      for await (const { email } of stripe.customers.list({ limit: 2 })) emails.push(String(email));
      const customer = await stripe.customers.create({ email: 'ada@example.com' });
      const first = await stripe.paymentIntents.create({ amount: 1099, currency: 'usd', customer: customer.id });
      const second = await stripe.paymentIntents.create({ amount: 500, currency: 'usd', customer: customer.id });
      return { read: emails.length, ids: [customer.id, first.id, second.id] };
    },
  });
}

const effects = ['customer ada@example.com', 'charge 1099 usd cus_QXg1o8vcGmoR30', 'charge 500 usd cus_QXg1o8vcGmoR30'];

describe('the stripe package, unmodified, in a run', () => {
  it('pages, creates and charges with keys of ours in place of those it makes up, each once, whatever is replayed', async () => {
    const server = await start();
    const world = mortal({ workflow: checkout(server), secrets, maxDeliveries: 1 });
    await world.toTheEnd();
    expect(world.value()).toMatchObject({ read: 5 });
    expect(server.effects.map(({ what }) => what)).toEqual(effects);
    const keys = server.effects.map(({ key }) => key);
    expect(new Set(keys).size).toBe(3);
    for (const key of keys) expect(key).toMatch(/^[\w-]{32}$/);
    expect(server.requests.every(({ headers }) => headers.authorization === 'Bearer sk_test_of_the_connection')).toBe(true);
    // Its telemetry tells of the request before: another value each time, and part of no identity.
    expect(server.requests.some(({ headers }) => headers['x-stripe-client-telemetry'] !== undefined)).toBe(true);
  });

  it.each<[string, Fate[]]>([
    ['a 429', ['throttle', 'serve']],
    ['a 500', ['serve', 'serve', 'serve', 'fail', 'serve']],
    ['a reset before the effect', ['serve', 'serve', 'serve', 'reset-before', 'serve']],
    ['a reset after the effect', ['serve', 'serve', 'serve', 'serve', 'reset-after', 'serve']],
  ])('goes on after %s, and charges nobody twice', async (_name, fates) => {
    const server = await start();
    server.script(...fates);
    const world = mortal({ workflow: checkout(server), secrets });
    await world.toTheEnd();
    expect(server.effects.map(({ what }) => what)).toEqual(effects);
  });

  it('is told not to retry, even where its own retries were left on', async () => {
    const server = await start();
    server.script('fail');
    const { fetch } = payments(server.url, { retry: { attempts: 2 } });
    const world = mortal({ workflow: checkout(server, sdk(server, fetch, 5)), secrets });
    expect(await world.toTheEnd()).toMatchObject({ status: 'failed', outcome: { error: { name: 'Error' } } });
    expect(server.requests).toHaveLength(2);
  });

  it('whose own retries were left on cannot charge under a second key what has failed under the first', async () => {
    const server = await start();
    // No answer ever arrives: the call fails for good, and the SDK tries again.
    server.script('reset-after', 'reset-before', 'serve');
    const { fetch } = payments(server.url, { retry: { attempts: 2 } });
    const stripe = sdk(server, fetch, 2);
    const seen = new Set<string>();
    const world = mortal({
      secrets,
      maxDeliveries: 1,
      workflow: workflow({
        name: 'charge',
        async run() {
          const error = await stripe.paymentIntents.create({ amount: 1, currency: 'usd' }).catch((thrown: Error) => thrown.name);
          const next = await stripe.customers.create({ email: 'next@example.com' });
          seen.add(JSON.stringify([error, next.email]));
          return error;
        },
      }),
    });
    await world.toTheEnd();
    expect([...seen]).toEqual(['["Error","next@example.com"]']);
    expect(server.requests.map(({ path }) => path)).toEqual(['/v1/payment_intents', '/v1/payment_intents', '/v1/customers']);
    expect(server.repeated()).toEqual([]);
  });

  it.each<[string, Fate[]]>([
    ['', ['serve']],
    [
      ', with a 429, a 500 and resets on the way',
      ['throttle', 'serve', 'serve', 'serve', 'reset-after', 'fail', 'serve', 'reset-after', 'serve'],
    ],
  ])('finishes when it is killed at any await%s, and charges nobody twice', async (_name, fates) => {
    const points = await killedEverywhere(async (killAt): Promise<Mortal> => {
      const server = await start();
      server.script(...fates);
      const world = mortal({ workflow: checkout(server), secrets, killAt });
      await world.toTheEnd();
      expect(server.effects.map(({ what }) => what)).toEqual(effects);
      for (const one of servers.splice(0)) await one.close();
      return world;
    });
    expect(points).toBeGreaterThan(20);
  });
});

describe('the stripe package outside a run', () => {
  it('works plainly', async () => {
    const plain = await harness();
    plain.secrets.set('stripe/key', secrets['stripe/key']);
    const server = await start();
    server.script('reset-after', 'throttle', 'serve');
    const customer = await sdk(server).customers.create({ email: 'ada@example.com' });
    expect(customer.email).toBe('ada@example.com');
    expect(server.effects).toHaveLength(1);
    await plain.close();
  });

  it('sends a retry of the SDK under the key of what it retries', async () => {
    const plain = await harness();
    plain.secrets.set('stripe/key', secrets['stripe/key']);
    const server = await start();
    server.script('reset-after', 'serve');
    const { fetch } = payments(server.url, { retry: { attempts: 1 } });
    await sdk(server, fetch, 1).paymentIntents.create({ amount: 1, currency: 'usd' });
    expect(server.requests).toHaveLength(2);
    expect(server.effects).toHaveLength(1);
    await plain.close();
  });
});
