/** What an idle stack costs: at most two dollars a month, from the requests that it is counted to make. */
import { describe, expect, it, onTestFinished } from 'vitest';
import config from '../../holdfast.config.ts';
import { type IdleCost, idleCost, type Resources } from '../../infra/cost/idle.ts';
import { PRICES } from '../../infra/cost/prices.ts';
import { costReport } from '../../infra/cost/report.ts';
import { systemClock } from '../../src/aws/clock.ts';
import { systemEntropy } from '../../src/aws/entropy.ts';
import { dynamoRunStore } from '../../src/aws/run-store.ts';
import { DUE_SHARDS } from '../../src/aws/table-schema.ts';
import { sqsWakeQueue } from '../../src/aws/wake-queue.ts';
import { sweep } from '../../src/engine/sweep.ts';
import { startEmulators } from '../support/aws-emulators.ts';
import { templateOf } from './support/template.ts';

const TARGET = 2;
const HASH = 'ab'.repeat(32);

const costOf = (given: typeof config, stage: string): IdleCost =>
  idleCost(templateOf(given, stage, { HOLDFAST_API_TOKEN_SHA256: HASH }).toJSON().Resources as Resources);
const line = (cost: IdleCost, what: string) => cost.lines.find((candidate) => candidate.what.startsWith(what));
const plain = (given: object = {}) => costOf({ stages: { plain: { auth: { tokenHashes: [HASH] }, ...given } } }, 'plain');

describe('a month in which nobody uses it', () => {
  it.each(['dev', 'prod'])('costs at most two dollars on stage %s, without any free tier', (stage) => {
    const cost = costOf(config, stage);
    console.log(`\n${costReport(stage, cost)}\n`);
    expect(cost.usd).toBeLessThanOrEqual(TARGET);
  });

  it('is polled for by five pollers a queue, 20 seconds each', () => {
    expect(line(plain(), 'SQS')).toMatchObject({ count: 3 * 5 * 3 * 60 * 730 });
  });

  it('is swept every minute', () => {
    expect(line(plain(), 'Lambda: sweeps')).toMatchObject({ count: 60 * 730 });
    expect(line(plain(), 'DynamoDB: reads')).toMatchObject({ count: 60 * 730 * DUE_SHARDS * 0.5 });
  });

  it('costs a dollar more with a topic of its own, three with a dashboard, and a dime for every further metric that is watched', () => {
    expect(plain({ alarms: { email: 'ops@example.com' } }).usd - plain().usd).toBeCloseTo(1);
    expect(plain({ dashboard: true }).usd - plain().usd).toBeCloseTo(3);
    const full = plain({ alarms: { coverage: 'full' } });
    // Three of dead letters, two of tables that look at two metrics each, and three of each function.
    expect(full.usd - plain().usd).toBeCloseTo((3 + 2 * 2 + 4 * 3) * PRICES.alarmMetrics.usd);
  });
});

describe('a sweep that finds nothing', () => {
  it('makes the requests that are paid for, and no others', async () => {
    const emulators = await startEmulators();
    onTestFinished(() => emulators.stop());
    const table = await emulators.createRunsTable();
    const queue = await emulators.createQueue();
    const ports = { clock: systemClock(), entropy: systemEntropy() };
    const store = dynamoRunStore({ ...ports, client: emulators.clients.dynamodb, table, retentionDays: 30 });
    const wakes = sqsWakeQueue(emulators.clients.sqs, queue, ports);
    await sweep({ store, wakes, clock: ports.clock });
    expect(emulators.inputs('Query')).toHaveLength(DUE_SHARDS);
    for (const operation of ['BatchGetItem', 'GetItem', 'UpdateItem', 'PutItem', 'Scan', 'SendMessageBatch', 'SendMessage']) {
      expect(emulators.inputs(operation)).toEqual([]);
    }
    // Half a unit each, as an eventually consistent read of nothing is: an index knows no other.
    for (const input of emulators.inputs<{ IndexName?: string; ConsistentRead?: boolean }>('Query')) {
      expect(input).toMatchObject({ IndexName: 'due' });
      expect(input.ConsistentRead).toBeUndefined();
    }
  });
});

describe('prices', () => {
  it('name the page that they are from', () => {
    for (const { source } of Object.values(PRICES)) expect(source).toMatch(/^https:\/\/aws\.amazon\.com\/[\w/-]+\/pricing\/[\w/-]*$/);
  });
});
