/** What AWS charges for what an idle stack uses: list prices of us-east-1 without any free tier, each with its page. Re-read once a year. */

export type Price = { usd: number; per: number; unit: string; source: string };

/** When these were current. */
export const PRICES_OF = '2026-06';

const MILLION = 1_000_000;

export const PRICES = {
  sqsRequests: { usd: 0.4, per: MILLION, unit: 'requests', source: 'https://aws.amazon.com/sqs/pricing/' },
  lambdaRequests: { usd: 0.2, per: MILLION, unit: 'requests', source: 'https://aws.amazon.com/lambda/pricing/' },
  lambdaArmSeconds: { usd: 0.000_013_333_4, per: 1, unit: 'GB-s', source: 'https://aws.amazon.com/lambda/pricing/' },
  dynamodbReads: { usd: 0.125, per: MILLION, unit: 'read request units', source: 'https://aws.amazon.com/dynamodb/pricing/on-demand/' },
  dynamodbStorage: { usd: 0.25, per: 1, unit: 'GB-months', source: 'https://aws.amazon.com/dynamodb/pricing/on-demand/' },
  dynamodbRecovery: { usd: 0.2, per: 1, unit: 'GB-months', source: 'https://aws.amazon.com/dynamodb/pricing/on-demand/' },
  s3Storage: { usd: 0.023, per: 1, unit: 'GB-months', source: 'https://aws.amazon.com/s3/pricing/' },
  secrets: { usd: 0.4, per: 1, unit: 'secrets', source: 'https://aws.amazon.com/secrets-manager/pricing/' },
  keys: { usd: 1, per: 1, unit: 'keys', source: 'https://aws.amazon.com/kms/pricing/' },
  logIngestion: { usd: 0.5, per: 1, unit: 'GB', source: 'https://aws.amazon.com/cloudwatch/pricing/' },
  logStorage: { usd: 0.03, per: 1, unit: 'GB-months', source: 'https://aws.amazon.com/cloudwatch/pricing/' },
  alarmMetrics: { usd: 0.1, per: 1, unit: 'metrics', source: 'https://aws.amazon.com/cloudwatch/pricing/' },
  dashboards: { usd: 3, per: 1, unit: 'dashboards', source: 'https://aws.amazon.com/cloudwatch/pricing/' },
  // Events of AWS's own services on the default bus, schedules among them, are free; so is a rule.
  scheduledEvents: { usd: 0, per: MILLION, unit: 'events', source: 'https://aws.amazon.com/eventbridge/pricing/' },
  apiRequests: { usd: 3.5, per: MILLION, unit: 'requests', source: 'https://aws.amazon.com/api-gateway/pricing/' },
} as const satisfies Record<string, Price>;
