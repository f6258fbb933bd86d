/**
 * What a person must hear of, as a list: each with what it means and what to do first. docs/operate.md has a section for each name.
 * Essential are those that tell of everything that stands still or gets lost, once; the others tell which part it is. Every metric
 * that an alarm looks at is $0.10 a month, and a stack that does nothing is to cost no more than $2: that decides how many are essential.
 */
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { MathExpression } from 'aws-cdk-lib/aws-cloudwatch';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Duration } from 'aws-cdk-lib/core';
import type { Stage } from '../config.ts';
import { FUNCTIONS, type FunctionName, timeoutOf } from '../settings.ts';
import type { HttpApi } from './http-api.ts';
import { ofStage, PERIOD } from './own-metrics.ts';
import type { Queues } from './queues.ts';
import type { Tables } from './tables.ts';

export type Watched = { queues: Queues; tables: Tables; functions: Readonly<Record<FunctionName, LambdaFunction>>; api: HttpApi };

export type AlarmDefinition = {
  /** In the alarm's name, and the anchor of its section: `#alarm-<name>`. */
  name: string;
  essential: boolean;
  /** What has happened, and what to look at first. */
  says: string;
  metric: IMetric;
  /** In alarm above this. */
  above: number;
  /** Periods in a row, default 1. */
  periods?: number;
  /** No data is bad news, too. */
  silenceIsAlarm?: boolean;
};

/** Far above a throttled burst and the longest delay of a message, far below the days after which messages are gone. */
const OLD_S = Duration.hours(1).toSeconds();
/** Of a function's time: what takes longer is about to be cut off. */
const NEARLY = 0.9;

export function alarmList(stage: Stage, { queues, tables, functions, api }: Watched): AlarmDefinition[] {
  const sum = { period: PERIOD, statistic: 'Sum' };
  const max = { period: PERIOD, statistic: 'Maximum' };
  return [
    {
      name: 'start-age',
      essential: true,
      says: 'Messages have waited to start a run for an hour. Look at the worker: errors, throttles, its maximum concurrency.',
      metric: queues.start.metricApproximateAgeOfOldestMessage(max),
      above: OLD_S,
    },
    {
      name: 'wake-age',
      essential: true,
      says: 'Runs that are due have not been woken for an hour. Look at the worker: errors, throttles, its maximum concurrency.',
      metric: queues.wake.metricApproximateAgeOfOldestMessage(max),
      above: OLD_S,
    },
    {
      name: 'dead-letters',
      essential: true,
      says: 'Messages that could not become runs were put on record. See the reasons: npx holdfast dead-letters. Mend it, then redrive them.',
      // By the worker, which refuses them, and by the function that empties the queue: the queue itself sees only the second.
      metric: ofStage(stage.name, 'DeadLetters'),
      above: 0,
    },
    {
      name: 'runs-failed',
      essential: true,
      says: 'More runs failed than usual. See what they have in common: npx holdfast runs --status failed. Mend it, then redrive them.',
      metric: ofStage(stage.name, 'RunsFailed'),
      above: stage.alarms.failedRuns,
    },
    {
      name: 'runs-paused',
      essential: true,
      says: 'Runs wait for a person: an unknown outcome, a missing secret, changed code. See which: npx holdfast runs --status paused.',
      metric: ofStage(stage.name, 'RunsPaused'),
      above: 0,
    },
    {
      name: 'sweeper',
      essential: true,
      says: 'The sweeper fails or is not invoked: waits of more than 15 minutes do not end. Look at its log and at the schedule.',
      // Each invocation counts 0 or 1: their mean tells of those that failed, and its absence of those that never were.
      metric: functions.sweeper.metricErrors({ period: PERIOD, statistic: 'Average' }),
      above: 0.5,
      periods: 3,
      silenceIsAlarm: true,
    },
    {
      name: 'api-5xx',
      essential: true,
      says: 'The HTTP API answers with errors of its own. Look at the log of the api function, its errors, throttles and time-outs.',
      metric: api.metricServerErrors(sum),
      above: 0,
      periods: 2,
    },
    {
      name: 'dead-letters-age',
      essential: false,
      says: 'Dead letters are not put on record for an hour. Look at the log of the dead-letters function: nothing is lost for 14 days.',
      metric: queues.deadLetters.metricApproximateAgeOfOldestMessage(max),
      above: OLD_S,
    },
    {
      name: 'dead-letters-visible',
      essential: false,
      says: 'Messages stay in the dead-letter queue. Look at the log of the dead-letters function: nothing is lost for 14 days.',
      metric: queues.deadLetters.metricApproximateNumberOfMessagesVisible(max),
      above: 0,
      periods: 3,
    },
    {
      name: 'dead-letters-received',
      essential: false,
      says: 'The worker gave messages up after 20 receives. See its log for errors, and npx holdfast dead-letters for what became of them.',
      // What arrives, and comes again when nobody takes it: true even when our own code does not run.
      metric: queues.deadLetters.metricNumberOfMessagesReceived(sum),
      above: 0,
    },
    ...FUNCTIONS.flatMap((name) => ofFunction(name, functions[name], stage)),
    ...(['runs', 'connections'] as const).map((name) => throttled(name, tables[name])),
  ];
}

function ofFunction(name: FunctionName, fn: LambdaFunction, stage: Stage): AlarmDefinition[] {
  return [
    {
      name: `${name}-errors`,
      essential: false,
      says: `Invocations of the ${name} function failed, ran out of time or of memory. Look at its log; what they had comes again.`,
      metric: fn.metricErrors({ period: PERIOD, statistic: 'Sum' }),
      above: 0,
      periods: 2,
    },
    {
      name: `${name}-throttles`,
      essential: false,
      says: `Invocations of the ${name} function were refused: the account's concurrency is used up. Raise the quota or lower the stage's.`,
      metric: fn.metricThrottles({ period: PERIOD, statistic: 'Sum' }),
      above: 0,
      periods: 2,
    },
    {
      name: `${name}-duration`,
      essential: false,
      says: `Invocations of the ${name} function take nearly all of their time. See which calls are slow, or raise its time or memory.`,
      metric: fn.metricDuration({ period: PERIOD, statistic: 'Maximum' }),
      above: timeoutOf(name, stage) * 1_000 * NEARLY,
      periods: 3,
    },
  ];
}

function throttled(name: 'runs' | 'connections', table: Table): AlarmDefinition {
  const events = (metricName: string) => table.metric(metricName, { period: PERIOD, statistic: 'Sum' });
  return {
    name: `${name}-throttled`,
    essential: false,
    says: `DynamoDB refused requests of the table ${name}: a hot partition, or more than the account's quota. They are repeated, later.`,
    metric: new MathExpression({
      expression: 'FILL(reads, 0) + FILL(writes, 0)',
      usingMetrics: { reads: events('ReadThrottleEvents'), writes: events('WriteThrottleEvents') },
      label: `throttled requests of ${name}`,
      period: PERIOD,
    }),
    above: 0,
    periods: 2,
  };
}
