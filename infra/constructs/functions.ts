/** The Lambda functions, what invokes the three that queues feed, and the environment that all of them read at start-up. */
import { Architecture, Code, EventSourceMapping, Function as LambdaFunction, RecursiveLoop, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { type Stage, variables } from '../config.ts';
import { FUNCTIONS, type FunctionName, memoryOf, timeoutOf } from '../settings.ts';
import type { Payloads } from './payloads.ts';
import { functionRole } from './permissions.ts';
import type { Queues } from './queues.ts';
import type { Tables } from './tables.ts';

export type Stores = { queues: Queues; tables: Tables; payloads: Payloads };
/** The folder of each function's bundle, and the version that they are together. */
export type Bundles = Readonly<Record<FunctionName, string>>;
export type Deployed = { bundles: Bundles; version: string };

export class Functions extends Construct {
  readonly all: Readonly<Record<FunctionName, LambdaFunction>>;

  constructor(scope: Construct, id: string, stage: Stage, stores: Stores, { bundles, version }: Deployed) {
    super(scope, id);
    const make = (name: FunctionName): LambdaFunction => {
      const within = new Construct(this, name);
      const functionName = `holdfast-${stage.name}-${name}`;
      const logGroup = new LogGroup(within, 'Logs', {
        logGroupName: `/aws/lambda/${functionName}`,
        retention: stage.logRetentionDays,
        removalPolicy: RemovalPolicy.DESTROY,
      });
      return new LambdaFunction(within, 'Function', {
        functionName,
        runtime: Runtime.NODEJS_24_X,
        architecture: Architecture.ARM_64,
        handler: 'index.handler',
        code: Code.fromAsset(bundles[name]),
        memorySize: memoryOf(name, stage),
        timeout: Duration.seconds(timeoutOf(name, stage)),
        environment: { ...environment(name, stage, stores), HOLDFAST_VERSION: version },
        role: functionRole(within, name, { ...stores, stage, logGroup }),
        logGroup,
        // Wakes go from queue to worker to queue: Lambda takes that for a runaway loop and ends it after 16 rounds.
        recursiveLoop: RecursiveLoop.ALLOW,
      });
    };
    this.all = Object.fromEntries(FUNCTIONS.map((name) => [name, make(name)])) as Record<FunctionName, LambdaFunction>;

    const { start, wake, deadLetters } = stores.queues;
    const { batchSize, batchWindow, maximumConcurrency } = stage.worker;
    const worker = {
      batchSize,
      maxConcurrency: maximumConcurrency,
      ...(batchWindow > 0 ? { maxBatchingWindow: Duration.seconds(batchWindow) } : {}),
    };
    this.#feed('StartToWorker', start, this.all.worker, worker);
    this.#feed('WakeToWorker', wake, this.all.worker, worker);
    this.#feed('DeadLettersToFunction', deadLetters, this.all['dead-letters'], { batchSize: 10, maxConcurrency: 2 });
  }

  #feed(
    id: string,
    queue: Queue,
    target: LambdaFunction,
    settings: { batchSize: number; maxConcurrency: number; maxBatchingWindow?: Duration },
  ) {
    new EventSourceMapping(this, id, { target, eventSourceArn: queue.queueArn, reportBatchItemFailures: true, ...settings });
  }
}

/** The worker's: for each of them Lambda runs as many instances as `maximumConcurrency` says. */
const QUEUES = 2;

function environment(name: FunctionName, stage: Stage, { queues, tables, payloads }: Stores): Record<string, string> {
  return {
    HOLDFAST_STAGE: stage.name,
    HOLDFAST_RUNS_TABLE: tables.runs.tableName,
    HOLDFAST_CONNECTIONS_TABLE: tables.connections.tableName,
    HOLDFAST_START_QUEUE_URL: queues.start.queueUrl,
    HOLDFAST_WAKE_QUEUE_URL: queues.wake.queueUrl,
    HOLDFAST_PAYLOADS_BUCKET: payloads.bucket.bucketName,
    HOLDFAST_SECRETS: stage.secrets,
    ...(stage.allow.length > 0 ? { HOLDFAST_ALLOW: stage.allow.join(',') } : {}),
    HOLDFAST_FUNCTION_TIMEOUT_MS: String(timeoutOf(name, stage) * 1_000),
    HOLDFAST_RETENTION_DAYS: String(stage.retentionDays),
    // Only the worker calls APIs.
    ...(name === 'worker' ? { HOLDFAST_INSTANCES: String(QUEUES * stage.worker.maximumConcurrency) } : {}),
    // Only the API knows a token when it sees one.
    ...(name === 'api' ? { HOLDFAST_API_TOKEN_SHA256: stage.tokenHashes.join(',') } : {}),
    ...variables(stage),
  };
}
