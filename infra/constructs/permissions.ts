/** What each function may do: the actions that its stores make, each on the one resource that it concerns. */
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import { ArnFormat, Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { ADMISSION_PREFIX, CREDENTIAL_PREFIX, DUE_INDEX, RECENT_INDEX } from '../../src/aws/table-schema.ts';
import { type Stage, secretsPrefix } from '../config.ts';
import type { FunctionName } from '../settings.ts';
import { DEPLOYMENT_KEY } from './deployment-key.ts';
import type { Payloads } from './payloads.ts';
import type { Queues } from './queues.ts';
import type { Tables } from './tables.ts';

type Resources = { queues: Queues; tables: Tables; payloads: Payloads; stage: Stage; logGroup: LogGroup };
/** `partitions`: of the table, those whose keys begin so; without it, all. */
type Grant = { actions: readonly string[]; resource: string; partitions?: string };

/** What Lambda's poller does in the function's name; the worker deletes by itself as well, as its runs end. */
const CONSUME = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'];
const SEND = ['sqs:SendMessage'];
const READ_RUNS = ['dynamodb:BatchGetItem', 'dynamodb:GetItem', 'dynamodb:Query'];
const WRITE_RUNS = ['dynamodb:PutItem', 'dynamodb:UpdateItem'];
/** Dead letters by themselves, the segments and inbox of a run together. */
const REMOVE_RUNS = ['dynamodb:DeleteItem', 'dynamodb:BatchWriteItem'];
/** They are made and revoked by people, with credentials of their own. */
const TOKENS = ['dynamodb:GetItem'];
/** A token is renewed under a lease, and a run is noted that waits for one. */
const USE_CREDENTIALS = ['dynamodb:GetItem', 'dynamodb:UpdateItem', 'dynamodb:PutItem', 'dynamodb:DeleteItem'];
const MANAGE_CREDENTIALS = ['dynamodb:GetItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem', 'dynamodb:Query'];
/** Records are changed; places are taken, found free, and given back. */
const ASK_ADMISSION = ['dynamodb:GetItem', 'dynamodb:UpdateItem', 'dynamodb:PutItem', 'dynamodb:DeleteItem', 'dynamodb:Query'];
/** People look at records, hold connections and release them. */
const MANAGE_ADMISSION = ['dynamodb:GetItem', 'dynamodb:UpdateItem', 'dynamodb:Query'];

export function functionRole(scope: Construct, name: FunctionName, resources: Resources): Role {
  const role = new Role(scope, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  for (const { actions, resource, partitions } of grants(scope, resources)[name]) {
    const conditions =
      partitions === undefined ? {} : { conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${partitions}*`] } } };
    role.addToPolicy(new PolicyStatement({ effect: Effect.ALLOW, actions: [...actions], resources: [resource], ...conditions }));
  }
  return role;
}

function grants(scope: Construct, { queues, tables, payloads, stage, logGroup }: Resources): Record<FunctionName, Grant[]> {
  const runs = tables.runs.tableArn;
  const { bucket } = payloads;
  const readPayloads: Grant[] = [
    { actions: ['s3:GetObject'], resource: bucket.arnForObjects('*') },
    // Without it, S3 says "denied" of an object that is not there, and nobody could tell the two apart.
    { actions: ['s3:ListBucket'], resource: bucket.bucketArn },
  ];
  const removePayloads: Grant = { actions: ['s3:DeleteObject'], resource: bucket.arnForObjects('*') };
  const writePayloads: Grant = { actions: ['s3:PutObject'], resource: bucket.arnForObjects('*') };
  const log: Grant = { actions: ['logs:CreateLogStream', 'logs:PutLogEvents'], resource: logGroup.logGroupArn };
  return {
    worker: [
      log,
      // A batch is a run that starts others.
      { actions: [...CONSUME, ...SEND], resource: queues.start.queueArn },
      { actions: [...CONSUME, ...SEND], resource: queues.wake.queueArn },
      { actions: [...READ_RUNS, ...WRITE_RUNS], resource: runs },
      ...readPayloads,
      writePayloads,
      { actions: USE_CREDENTIALS, resource: tables.connections.tableArn, partitions: CREDENTIAL_PREFIX },
      { actions: ASK_ADMISSION, resource: tables.connections.tableArn, partitions: ADMISSION_PREFIX },
      ...secrets(scope, stage, '*'),
    ],
    api: [
      log,
      { actions: SEND, resource: queues.start.queueArn },
      { actions: SEND, resource: queues.wake.queueArn },
      { actions: [...READ_RUNS, ...WRITE_RUNS, ...REMOVE_RUNS], resource: runs },
      { actions: TOKENS, resource: tables.connections.tableArn },
      { actions: MANAGE_CREDENTIALS, resource: tables.connections.tableArn, partitions: CREDENTIAL_PREFIX },
      { actions: MANAGE_ADMISSION, resource: tables.connections.tableArn, partitions: ADMISSION_PREFIX },
      // What it stores it encrypts first.
      ...secrets(scope, stage, `${DEPLOYMENT_KEY}-*`),
      { actions: ['dynamodb:Query'], resource: `${runs}/index/${RECENT_INDEX}` },
      ...readPayloads,
      writePayloads,
      removePayloads,
    ],
    sweeper: [
      log,
      { actions: SEND, resource: queues.wake.queueArn },
      { actions: ['dynamodb:BatchGetItem', 'dynamodb:UpdateItem'], resource: runs },
      { actions: ['dynamodb:Query'], resource: `${runs}/index/${DUE_INDEX}` },
    ],
    'dead-letters': [
      log,
      { actions: CONSUME, resource: queues.deadLetters.queueArn },
      { actions: ['dynamodb:BatchGetItem', ...WRITE_RUNS], resource: runs },
      writePayloads,
    ],
  };
}

/** Secrets Manager adds a suffix of its own to every name, and names are the user's: of those, the prefix is as narrow as it gets. */
function secrets(scope: Construct, stage: Stage, which: string): Grant[] {
  const prefix = secretsPrefix(stage);
  if (prefix === undefined) return [];
  const resource = Stack.of(scope).formatArn({
    service: 'secretsmanager',
    resource: 'secret',
    resourceName: `${prefix}${which}`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  return [{ actions: ['secretsmanager:GetSecretValue'], resource }];
}
