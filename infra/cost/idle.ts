/** What a stack costs in a month in which nobody uses it, from its template: every request that it makes of its own accord, counted. Pure. */
import { DUE_SHARDS } from '../../src/aws/table-schema.ts';
import { PRICES, type Price } from './prices.ts';

type Properties = Record<string, unknown>;
export type Resources = Readonly<Record<string, { Type: string; Properties?: Properties }>>;
export type Line = { what: string; count: number; price: Price; usd: number; why: string };
export type IdleCost = { lines: Line[]; usd: number };

const HOURS = 730;
const MINUTES = HOURS * 60;

/**
 * Lambda keeps five long polls of 20 s open at a queue that is quiet. Without a maximum concurrency it may go down to two, which is not
 * counted on. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
 */
const POLLERS = 5;
const POLLS_A_MINUTE = 60 / 20;
/** DynamoDB: a query that finds nothing, eventually consistent as all of an index are. */
const READ_UNITS = 0.5;
/** Billed for a sweep that finds nothing: its queries go out together. Generous. */
const SWEEP_MS = 100;
/** Lambda's own START, END and REPORT: a sweep that finds nothing writes nothing. Generous. */
const LOG_BYTES = 500;
const GB = 1_000_000_000;

export function idleCost(resources: Resources): IdleCost {
  const all = (type: string) => Object.values(resources).flatMap(({ Type, Properties = {} }) => (Type === type ? [Properties] : []));
  const lines: Line[] = [];
  const add = (what: string, price: Price, count: number, why: string) =>
    void lines.push({ what, count, price, usd: (count / price.per) * price.usd, why });

  const mappings = all('AWS::Lambda::EventSourceMapping').length;
  add(
    'SQS: polls of empty queues',
    PRICES.sqsRequests,
    mappings * POLLERS * POLLS_A_MINUTE * MINUTES,
    `${mappings} queues × ${POLLERS} pollers × 3 a minute`,
  );

  const sweeps = all('AWS::Events::Rule').reduce((sum, rule) => sum + MINUTES / minutesOf(String(rule.ScheduleExpression)), 0);
  const memory = memoryOfTargets(resources);
  add('EventBridge: schedule', PRICES.scheduledEvents, sweeps, 'one a minute');
  add('Lambda: sweeps', PRICES.lambdaRequests, sweeps, 'one a minute');
  add('Lambda: time of sweeps', PRICES.lambdaArmSeconds, (sweeps * SWEEP_MS * memory) / 1_000 / 1_024, `${SWEEP_MS} ms × ${memory} MB`);
  add('DynamoDB: reads of sweeps', PRICES.dynamodbReads, sweeps * DUE_SHARDS * READ_UNITS, `${DUE_SHARDS} shards × ${READ_UNITS} units`);
  add('CloudWatch: logs of sweeps', PRICES.logIngestion, (sweeps * LOG_BYTES) / GB, `${LOG_BYTES} bytes each`);
  add('CloudWatch: logs kept', PRICES.logStorage, (sweeps * LOG_BYTES) / GB, 'a month of them');

  add(
    'CloudWatch: alarms',
    PRICES.alarmMetrics,
    all('AWS::CloudWatch::Alarm').reduce((sum, alarm) => sum + metricsOf(alarm), 0),
    'metrics they look at',
  );
  add('CloudWatch: dashboards', PRICES.dashboards, all('AWS::CloudWatch::Dashboard').length, 'settings: dashboard');
  add('Secrets Manager: secrets', PRICES.secrets, all('AWS::SecretsManager::Secret').length, 'the deployment key; yours come to it');
  add('KMS: keys', PRICES.keys, all('AWS::KMS::Key').length, 'settings: alarms.email');
  add('DynamoDB: tables at rest', PRICES.dynamodbStorage, 0, 'empty; also of their recovery, $0.20 a GB');
  add('S3: payloads at rest', PRICES.s3Storage, 0, 'empty');
  add('API Gateway: requests', PRICES.apiRequests, 0, 'nobody asks');
  return { lines, usd: lines.reduce((sum, { usd }) => sum + usd, 0) };
}

function minutesOf(expression: string): number {
  const [, count, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  if (!count || !unit) throw new Error(`a schedule that is no rate: ${expression}`);
  return Number(count) * { minute: 1, hour: 60, day: 1_440 }[unit as 'minute' | 'hour' | 'day'];
}

/** MB, of what the schedule invokes. */
function memoryOfTargets(resources: Resources): number {
  const targets = Object.values(resources).flatMap(({ Type, Properties }) =>
    Type === 'AWS::Events::Rule' ? (Properties?.Targets as Array<{ Arn: { 'Fn::GetAtt': [string, string] } }>) : [],
  );
  return targets.reduce((sum, { Arn }) => sum + Number(resources[Arn['Fn::GetAtt'][0]]?.Properties?.MemorySize ?? 128), 0);
}

/** An expression is free, and each metric in it is paid for. */
function metricsOf(alarm: Properties): number {
  const metrics = alarm.Metrics as Array<{ MetricStat?: unknown }> | undefined;
  return metrics ? metrics.filter(({ MetricStat }) => MetricStat !== undefined).length : 1;
}
