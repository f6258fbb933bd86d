/** The credential store on DynamoDB, over real sockets. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dynamoCredentialStore } from '../../src/aws/credential-store.ts';
import { oauth2ClientCredentials } from '../../src/http/auth/oauth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { type Emulators, startEmulators } from '../support/aws-emulators.ts';
import { connectionsTable } from '../support/connections-table.ts';
import { credentialStoreContract } from '../support/contracts/credential-store.ts';
import { fleet } from '../support/fleet.ts';
import { type TokenServer, tokenServer } from '../support/token-server.ts';

let aws: Emulators;
beforeAll(async () => {
  aws = await startEmulators();
});
afterEach(() => aws.faults());
afterAll(() => aws.stop());

const createTable = () => connectionsTable(aws);
const open = async () => dynamoCredentialStore(aws.clients.dynamodb, await createTable());

describe('a fleet over DynamoDB', () => {
  let server: TokenServer;
  let world: ReturnType<typeof fleet>;
  beforeEach(async () => {
    server = await tokenServer();
  });
  afterEach(async () => {
    await world.close();
    await server.close();
  });
  const options = () => ({
    name: 'crm',
    baseUrl: server.url,
    auth: oauth2ClientCredentials({ tokenUrl: server.tokenUrl, clientId: 'id', clientSecret: secret('crm/client') }),
  });

  it('gets at most two tokens an expiry, however many ask at once', async () => {
    world = fleet(await open());
    const all = Array.from({ length: 25 }, () => world.start(options()));
    for (let expiry = 1; expiry <= 3; expiry++) {
      const before = server.mints.length;
      expect(new Set(await Promise.all(all.map(({ get }) => get())))).toEqual(new Set([200]));
      expect(server.mints.length - before).toBeGreaterThanOrEqual(1);
      expect(server.mints.length - before).toBeLessThanOrEqual(2);
      world.skip(3_600_000);
    }
  });

  it('goes on when the one that gets the token dies over it', async () => {
    world = fleet(await open());
    const doomed = world.start(options());
    server.answer = () => new Promise(() => {});
    const lost = doomed.get().catch(() => 'dead');
    while (server.requests.length === 0) await new Promise(setImmediate);
    server.answer = () => undefined;
    const others = Array.from({ length: 5 }, () => world.start({ ...options(), timeout: '5m' }));
    const waiting = Promise.all(others.map(({ get }) => get()));
    world.skip(26_000);
    await doomed.kill();
    expect(await waiting).toEqual([200, 200, 200, 200, 200]);
    expect(server.mints.length).toBeLessThanOrEqual(2);
    await lost;
  });
});

describe('the credential store on DynamoDB', () => {
  credentialStoreContract(open);

  it('takes a write whose answer was lost for what it is: one write', async () => {
    const store = await open();
    let lost = false;
    aws.faults((operation) => {
      if (operation !== 'UpdateItem' || lost) return undefined;
      lost = true;
      return 'lose-answer';
    });
    expect(await store.lease({ connection: 'crm' }, 0, { owner: 'a', until: 100, now: 0 })).toBe('held');
    expect(lost).toBe(true);
  });

  it('reads past a thousand runs that wait for one account', async () => {
    const store = await open();
    const run = (i: number) => `run_${String(i).padStart(32, '0')}`;
    for (let from = 0; from < 1_100; from += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, i) => store.wait({ connection: 'crm', account: 'busy' }, run(from + i))));
    }
    await store.put({ connection: 'crm', account: 'next' }, { status: 'ok', sealed: 'x', updatedAt: 1 });
    const { items } = await store.list('crm', { limit: 10 });
    expect(items.map(({ account, waiting }) => [account, waiting])).toEqual([
      ['busy', 1_000],
      ['next', 0],
    ]);
    expect(await store.waiters({ connection: 'crm', account: 'busy' })).toHaveLength(1_000);
  });
});
