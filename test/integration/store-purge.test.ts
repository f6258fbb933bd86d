import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/aws/clock.ts';
import { dynamoRunStore } from '../../src/aws/run-store.ts';
import { deleteRun } from '../../src/engine/operate.ts';
import { memoryPayloadStore, memoryWakeQueue, seededEntropy, virtualClock } from '../../src/testing/index.ts';
import { type Emulators, startEmulators } from '../support/aws-emulators.ts';
import { NOW, run } from '../support/contracts/records.ts';

let aws: Emulators;
beforeAll(async () => {
  aws = await startEmulators();
});
afterAll(() => aws.stop());

test('a purge whose answer is lost removes everything', async () => {
  const table = await aws.createRunsTable();
  const entropy = seededEntropy(1);
  const store = dynamoRunStore({ clock: systemClock(), entropy, client: aws.clients.dynamodb, table, retentionDays: 30 });
  const payloads = memoryPayloadStore();
  const clock = virtualClock();
  const record = run('run_1', { nonce: 'a', status: 'succeeded', endedAt: NOW, spilled: true });
  await store.create(record);
  await store.append('run_1', { incarnation: 0, life: record.createdAt, first: 0, count: 1, nonce: 's', data: new Uint8Array([1]) });
  await payloads.put('runs/run_1/x', new Uint8Array([1]));
  let left = 1;
  aws.faults((operation) => (operation === 'UpdateItem' && left-- > 0 ? 'lose-answer' : undefined));
  const answered = await deleteRun({ store, payloads, clock, entropy, wake: memoryWakeQueue({ clock }) }, record).then(
    () => 'deleted',
    (error: Error) => error.message,
  );
  aws.faults();
  const segments = await store.segments(record);
  expect({ answered, segments: segments.length, payloads: payloads.keys() }).toEqual({ answered: 'deleted', segments: 0, payloads: [] });
});
