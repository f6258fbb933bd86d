/** The admission store on DynamoDB, over real sockets. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { book } from '../../src/admission/booking.ts';
import { hold, raiseGate } from '../../src/admission/stops.ts';
import { dynamoAdmissionStore } from '../../src/aws/admission-store.ts';
import { awsClients } from '../../src/aws/clients.ts';
import { undiciHandler } from '../../src/aws/undici-handler.ts';
import type { AdmissionStore } from '../../src/engine/admission-ports.ts';
import { type Emulators, startEmulators } from '../support/aws-emulators.ts';
import { connectionsTable } from '../support/connections-table.ts';
import { admissionStoreContract } from '../support/contracts/admission-store.ts';

const KEY = { connection: 'crm', account: 'acme' };
const NOW = Date.UTC(2026, 0, 1);
let aws: Emulators;
beforeAll(async () => {
  aws = await startEmulators();
});
afterEach(() => aws.faults());
afterAll(() => aws.stop());

const open = async () => dynamoAdmissionStore(aws.clients.dynamodb, await connectionsTable(aws));
const requests = () => ['GetItem', 'UpdateItem', 'PutItem', 'Query'].reduce((sum, operation) => sum + aws.inputs(operation).length, 0);

describe('the admission store on DynamoDB', () => {
  admissionStoreContract(open);

  it('changes a record by one request', async () => {
    const store = await open();
    const before = requests();
    await store.change(KEY, { set: { tat0: 1 }, when: [{ name: 'tat0', is: 'absent' }] });
    expect(requests() - before).toBe(1);
  });

  it('needs no second request for what is there instead, where DynamoDB returns it', async () => {
    const store = await open();
    aws.faults((operation) =>
      operation === 'UpdateItem' ? (answer) => ('__type' in answer ? { ...answer, Item: { tat0: { N: '7' } } } : answer) : undefined,
    );
    await store.change(KEY, { set: { tat0: 7 } });
    const before = requests();
    expect(await store.change(KEY, { set: { tat0: 1 }, when: [{ name: 'tat0', is: 'absent' }] })).toEqual({
      ok: false,
      record: { tat0: 7 },
    });
    expect(requests() - before).toBe(1);
  });

  // The table counts in decimals, and a process in doubles: a sum of both must still be what the process reads, or no gate is raised any more.
  it('lets a gate be raised, and a person hold it, after calls were booked ahead of the line', async () => {
    const store = await open();
    const limits = [{ requests: 98, per: 1_000, burst: 1 }];
    const claims = [1, 2, 3].map(() => ({ tenant: 'small', weight: 1, retry: false, missed: false }));
    const nothing = { windows: new Map(), row: 0, succeeded: false };
    let { record } = await store.change(KEY, {
      set: { base: NOW - 10_000, resumeAt: NOW - 10_000, slow: 500, tat0: NOW + 60_000, heavy: 'big' },
    });
    let now = NOW;
    for (let n = 0; n < 60; n++, now += 20) {
      const { change } = book(claims, limits, record, nothing, now);
      ({ record } = await store.change(KEY, change));
    }
    const gate = raiseGate(record, now + 60_000, now);
    expect(gate && (await store.change(KEY, gate))).toMatchObject({ ok: true });
    ({ record } = await store.change(KEY, hold(await store.read(KEY), { by: 'ada', why: 'asked' }, now)));
    expect(record).toMatchObject({ heldBy: 'ada' });
  });

  it('takes a place whose answer was lost for its own', async () => {
    const store = await open();
    let lost = false;
    aws.faults((operation) => {
      if (operation !== 'PutItem' || lost) return undefined;
      lost = true;
      return 'lose-answer';
    });
    expect(await store.take(KEY, { place: 0, owner: 'a', until: NOW + 100 }, NOW)).toBe(true);
    expect(lost).toBe(true);
  });

  it('lets the table forget a lease a day after its end, and a record never', async () => {
    const table = await connectionsTable(aws);
    const store = dynamoAdmissionStore(aws.clients.dynamodb, table);
    await store.change(KEY, { set: { tat0: 1 } });
    await store.take(KEY, { place: 3, owner: 'a', until: NOW }, 0);
    const item = async (sk: string) =>
      (await aws.clients.dynamodb.send(new GetItemCommand({ TableName: table, Key: { pk: { S: 'ADM#crm' }, sk: { S: sk } } }))).Item;
    expect((await item('acme#place#3'))?.expiresAt).toEqual({ N: String(NOW / 1_000 + 86_400) });
    expect(await item('acme#')).toEqual({ pk: { S: 'ADM#crm' }, sk: { S: 'acme#' }, tat0: { N: '1' } });
  });

  it('lists past pages that hold nothing but places', async () => {
    const store = await open();
    const account = (i: number) => ({ connection: 'crm', account: `a${i}` });
    for (let i = 0; i < 3; i++) {
      await store.change(account(i), { set: { i } });
      await Promise.all(Array.from({ length: 50 }, (_, place) => store.take(account(i), { place, owner: 'o', until: NOW }, 0)));
    }
    const first = await store.list('crm', { limit: 1 });
    expect(first).toEqual({ items: [{ account: 'a0', record: { i: 0 } }], next: 'a0' });
    expect((await store.list('crm', { limit: 5, after: 'a0' })).items.map(({ record }) => record)).toEqual([{ i: 1 }, { i: 2 }]);
    expect((await store.places(account(1))).map(({ place }) => place)).toEqual(Array.from({ length: 50 }, (_, place) => place));
  });

  it('tells soon that the table cannot be reached, whatever is asked of it', async () => {
    const never = await silence();
    const store = dynamoAdmissionStore(never.client, 'connections', { patienceMs: 50 });
    const asked: Array<(store: AdmissionStore) => Promise<unknown>> = [
      (of) => of.read(KEY),
      (of) => of.change(KEY, { add: { r1: 1 } }),
      (of) => of.take(KEY, { place: 0, owner: 'a', until: NOW }, 0),
      (of) => of.give(KEY, 0, 'a'),
      (of) => of.places(KEY),
      (of) => of.list('crm', { limit: 1 }),
    ];
    const answers = await Promise.allSettled(asked.map((ask) => ask(store)));
    expect(answers.map(({ status }) => status)).toEqual(asked.map(() => 'rejected'));
    await never.stop();
  });
});

/** What takes connections and answers nothing; there is one socket, so that all but one request wait for it. */
async function silence() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on('error', () => {})));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const env = { ...aws.env, AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  const clients = awsClients(env, undiciHandler({ connections: 1 }));
  return {
    client: clients.dynamodb,
    async stop() {
      clients.destroy();
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}
