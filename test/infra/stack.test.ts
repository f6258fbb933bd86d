/** Every property of the deployed stack that something relies on, and the whole of it as a snapshot. */
import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import config from '../../holdfast.config.ts';
import { resolveStage, variables } from '../../infra/config.ts';
import { RUNS_TABLE_SCHEMA } from '../../src/aws/table-schema.ts';
import { DEPLOYMENT_KEY } from '../../src/http/auth/deployment-key.ts';
import { allowed, named, resources, templateOf, VERSION } from './support/template.ts';

const HASH = 'ab'.repeat(32);
const prod = templateOf(config, 'prod', { HOLDFAST_API_TOKEN_SHA256: HASH });
const local = templateOf(config, 'local');
const FUNCTIONS = ['worker', 'api', 'sweeper', 'dead-letters'];

const att = (id: string) => ({ 'Fn::GetAtt': [id, 'Arn'] });
const queue = (name: string, template = prod, stage = 'prod') =>
  named(template, 'AWS::SQS::Queue', 'QueueName', `holdfast-${stage}-${name}`);
const lambda = (name: string, template = prod, stage = 'prod') =>
  named(template, 'AWS::Lambda::Function', 'FunctionName', `holdfast-${stage}-${name}`);
const environment = (name: string, template = prod, stage = 'prod') =>
  (lambda(name, template, stage).resource.Properties.Environment as { Variables: Record<string, unknown> }).Variables;

describe('queues', () => {
  it.each(['start', 'wake'])('%s keeps messages 4 days, gives the worker its time and 30 s, and gives up after 20 receives', (name) => {
    const { MessageRetentionPeriod, VisibilityTimeout, RedrivePolicy } = queue(name).resource.Properties;
    expect(MessageRetentionPeriod).toBe(4 * 86_400);
    expect(VisibilityTimeout).toBe(180 + 30);
    expect(RedrivePolicy).toEqual({ deadLetterTargetArn: att(queue('dead-letters').id), maxReceiveCount: 20 });
  });

  it('keeps dead letters 14 days, and gives their function its time and 30 s', () => {
    const { MessageRetentionPeriod, VisibilityTimeout, RedrivePolicy } = queue('dead-letters').resource.Properties;
    expect(MessageRetentionPeriod).toBe(14 * 86_400);
    expect(VisibilityTimeout).toBe(Number(lambda('dead-letters').resource.Properties.Timeout) + 30);
    expect(RedrivePolicy).toBeUndefined();
  });

  it('are encrypted and refuse plain HTTP', () => {
    const queues = resources(prod, 'AWS::SQS::Queue');
    expect(Object.keys(queues)).toHaveLength(3);
    for (const [id, { Properties }] of Object.entries(queues)) {
      expect(Properties.SqsManagedSseEnabled).toBe(true);
      prod.hasResourceProperties('AWS::SQS::QueuePolicy', {
        Queues: [{ Ref: id }],
        PolicyDocument: { Statement: [Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } })] },
      });
    }
  });
});

describe('tables', () => {
  it('has the keys and indexes that the run store was written for', () => {
    const { Properties } = named(prod, 'AWS::DynamoDB::Table', 'TableName', 'holdfast-prod-runs').resource;
    const { BillingMode, AttributeDefinitions, KeySchema, GlobalSecondaryIndexes } = JSON.parse(JSON.stringify(RUNS_TABLE_SCHEMA));
    expect(Properties).toMatchObject({ BillingMode, KeySchema, GlobalSecondaryIndexes });
    expect(Properties.AttributeDefinitions).toEqual(expect.arrayContaining(AttributeDefinitions));
    expect(Properties.AttributeDefinitions).toHaveLength(AttributeDefinitions.length);
    expect(Properties.TimeToLiveSpecification).toEqual({ AttributeName: 'expiresAt', Enabled: true });
  });

  it('has one for connections, by pk and sk', () => {
    const { Properties } = named(prod, 'AWS::DynamoDB::Table', 'TableName', 'holdfast-prod-connections').resource;
    expect(Properties.KeySchema).toEqual([
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ]);
    expect(Properties.BillingMode).toBe('PAY_PER_REQUEST');
  });

  it('can be restored and cannot be deleted outside local', () => {
    for (const { Properties, DeletionPolicy } of Object.values(resources(prod, 'AWS::DynamoDB::Table'))) {
      expect(Properties).toMatchObject({
        DeletionProtectionEnabled: true,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      });
      expect(DeletionPolicy).toBe('Retain');
    }
    for (const { Properties, DeletionPolicy } of Object.values(resources(local, 'AWS::DynamoDB::Table'))) {
      expect(Properties).toMatchObject({
        DeletionProtectionEnabled: false,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: false },
      });
      expect(DeletionPolicy).toBe('Delete');
    }
  });

  it('are tables of the kind that emulators know', () => {
    prod.resourceCountIs('AWS::DynamoDB::GlobalTable', 0);
    prod.resourceCountIs('AWS::DynamoDB::Table', 2);
  });
});

describe('payloads', () => {
  it('are private, encrypted, and only to be had over TLS', () => {
    prod.hasResourceProperties('AWS::S3::Bucket', {
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      BucketEncryption: { ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }] },
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
    });
    prod.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: { Statement: [Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } })] },
    });
  });

  it('go long after the last run that could read them', () => {
    prod.hasResourceProperties('AWS::S3::Bucket', {
      LifecycleConfiguration: { Rules: Match.arrayWith([Match.objectLike({ Status: 'Enabled', ExpirationInDays: 90 + 365 })]) },
    });
  });

  it('keeps uploads for two days: a batch is started within minutes or never', () => {
    prod.hasResourceProperties('AWS::S3::Bucket', {
      LifecycleConfiguration: {
        Rules: Match.arrayWith([Match.objectLike({ Status: 'Enabled', Prefix: 'uploads/', ExpirationInDays: 2 })]),
      },
    });
  });
});

describe('functions', () => {
  it('are four, on Node 24 and arm64, and are not stopped as a runaway loop', () => {
    const functions = Object.values(resources(prod, 'AWS::Lambda::Function'));
    expect(functions.map(({ Properties }) => Properties.FunctionName).sort()).toEqual(
      FUNCTIONS.map((name) => `holdfast-prod-${name}`).sort(),
    );
    for (const { Properties } of functions) {
      expect(Properties).toMatchObject({
        Runtime: 'nodejs24.x',
        Architectures: ['arm64'],
        Handler: 'index.handler',
        RecursiveLoop: 'Allow',
      });
    }
  });

  it('take memory and time of the worker from the configuration', () => {
    expect(lambda('worker').resource.Properties).toMatchObject({ MemorySize: 1_769, Timeout: 180 });
    const { auth } = config.stages.local!;
    const plain = templateOf({ stages: { plain: { auth } } }, 'plain');
    expect(lambda('worker', plain, 'plain').resource.Properties).toMatchObject({ MemorySize: 1_024, Timeout: 180 });
    const longer = templateOf({ stages: { big: { auth, worker: { memory: 3_008, timeout: 900 } } } }, 'big');
    expect(lambda('worker', longer, 'big').resource.Properties).toMatchObject({ MemorySize: 3_008, Timeout: 900 });
    expect(environment('worker', longer, 'big').HOLDFAST_FUNCTION_TIMEOUT_MS).toBe('900000');
    expect(queue('wake', longer, 'big').resource.Properties.VisibilityTimeout).toBe(930);
  });

  it('answer within the time that API Gateway waits', () => {
    expect(lambda('api').resource.Properties.Timeout).toBe(29);
  });

  it.each(FUNCTIONS)('%s is told where everything is', (name) => {
    const runs = named(prod, 'AWS::DynamoDB::Table', 'TableName', 'holdfast-prod-runs').id;
    const connections = named(prod, 'AWS::DynamoDB::Table', 'TableName', 'holdfast-prod-connections').id;
    expect(environment(name)).toEqual({
      HOLDFAST_STAGE: 'prod',
      HOLDFAST_RUNS_TABLE: { Ref: runs },
      HOLDFAST_CONNECTIONS_TABLE: { Ref: connections },
      HOLDFAST_START_QUEUE_URL: { Ref: queue('start').id },
      HOLDFAST_WAKE_QUEUE_URL: { Ref: queue('wake').id },
      HOLDFAST_PAYLOADS_BUCKET: { Ref: Object.keys(resources(prod, 'AWS::S3::Bucket'))[0] },
      HOLDFAST_SECRETS: 'secrets-manager:holdfast/prod/',
      HOLDFAST_FUNCTION_TIMEOUT_MS: String(Number(lambda(name).resource.Properties.Timeout) * 1_000),
      HOLDFAST_RETENTION_DAYS: '90',
      ...(name === 'worker' ? { HOLDFAST_INSTANCES: '100' } : {}),
      ...(name === 'api' ? { HOLDFAST_API_TOKEN_SHA256: HASH } : {}),
      ...variables(resolveStage(config, 'prod', { HOLDFAST_API_TOKEN_SHA256: HASH })),
      HOLDFAST_VERSION: VERSION,
    });
  });

  it('may call loopback and read a file of secrets on a developer’s machine alone', () => {
    expect(environment('worker', local, 'local')).toMatchObject({ HOLDFAST_ALLOW: '127.0.0.0/8', HOLDFAST_SECRETS: 'env-file:.env.local' });
    expect(environment('worker')).not.toHaveProperty('HOLDFAST_ALLOW');
  });

  it.each([
    ['a month', {}, 30],
    ['as long as the configuration says', { logRetentionDays: 365 }, 365],
  ])('log into groups that forget after %s', (_, given, days) => {
    const template = templateOf({ stages: { logs: { auth: config.stages.local!.auth, ...given } } }, 'logs');
    const groups = Object.values(resources(template, 'AWS::Logs::LogGroup')).map(({ Properties }) => Properties);
    expect(groups).toHaveLength(4);
    for (const group of groups) expect(group).toMatchObject({ RetentionInDays: days });
  });
});

describe('event sources', () => {
  const source = (name: string, template = prod, stage = 'prod') => {
    const all = Object.values(resources(template, 'AWS::Lambda::EventSourceMapping'));
    return all.find(({ Properties }) => JSON.stringify(Properties.EventSourceArn) === JSON.stringify(att(queue(name, template, stage).id)))
      ?.Properties;
  };

  it.each(['start', 'wake'])('%s feeds the worker ten at a time, at once, and only what failed comes again', (name) => {
    expect(source(name)).toEqual({
      BatchSize: 10,
      EventSourceArn: att(queue(name).id),
      FunctionName: { Ref: lambda('worker').id },
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 50 },
    });
  });

  it('feeds dead letters to their function', () => {
    expect(source('dead-letters')).toMatchObject({
      FunctionName: { Ref: lambda('dead-letters').id },
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    });
    prod.resourceCountIs('AWS::Lambda::EventSourceMapping', 3);
  });

  it('gathers a hundred for a second with the throughput profile', () => {
    const template = templateOf({ stages: { bulk: { auth: config.stages.local!.auth, worker: { profile: 'throughput' } } } }, 'bulk');
    for (const name of ['start', 'wake']) {
      expect(source(name, template, 'bulk')).toMatchObject({
        BatchSize: 100,
        MaximumBatchingWindowInSeconds: 1,
        ScalingConfig: { MaximumConcurrency: 10 },
      });
    }
  });
});

describe('the HTTP API', () => {
  it('is a REST API that hands / and all below it to the api function', () => {
    prod.resourceCountIs('AWS::ApiGateway::RestApi', 1);
    prod.resourceCountIs('AWS::ApiGatewayV2::Api', 0);
    prod.resourceCountIs('AWS::ApiGateway::Method', 2);
    prod.allResourcesProperties('AWS::ApiGateway::Method', {
      HttpMethod: 'ANY',
      Integration: Match.objectLike({
        Type: 'AWS_PROXY',
        TimeoutInMillis: 29_000,
        Uri: { 'Fn::Join': ['', Match.arrayWith([att(lambda('api').id)])] },
      }),
    });
    prod.hasResourceProperties('AWS::ApiGateway::Resource', { PathPart: '{proxy+}' });
    prod.hasResourceProperties('AWS::ApiGateway::Stage', { StageName: 'prod' });
  });

  it('takes so many requests as the configuration says', () => {
    const template = templateOf({ stages: { api: { auth: config.stages.local!.auth, api: { requestsPerSecond: 7, burst: 9 } } } }, 'api');
    template.hasResourceProperties('AWS::ApiGateway::Stage', {
      MethodSettings: [Match.objectLike({ HttpMethod: '*', ResourcePath: '/*', ThrottlingRateLimit: 7, ThrottlingBurstLimit: 9 })],
    });
  });

  it('leaves the account’s settings alone', () => {
    prod.resourceCountIs('AWS::ApiGateway::Account', 0);
  });
});

describe('outputs', () => {
  it('name what people and tools need to reach the stack, and what is deployed', () => {
    expect(Object.keys(prod.toJSON().Outputs as object).sort()).toEqual([
      'ApiUrl',
      'ConnectionsTable',
      'PayloadsBucket',
      'RunsTable',
      'StartQueueUrl',
      'Version',
    ]);
    prod.hasOutput('Version', { Value: VERSION });
  });
});

describe('the schedule', () => {
  it('sweeps every minute', () => {
    prod.resourceCountIs('AWS::Events::Rule', 1);
    prod.hasResourceProperties('AWS::Events::Rule', {
      ScheduleExpression: 'rate(1 minute)',
      State: 'ENABLED',
      Targets: [Match.objectLike({ Arn: att(lambda('sweeper').id) })],
    });
  });
});

describe('permissions', () => {
  const bucket = 'PayloadsBucket';
  /** The API's tokens are in the same table: nobody reaches them by this. */
  const credentials = 'holdfast-prod-connections, partitions CRED#…';
  const admission = 'holdfast-prod-connections, partitions ADM#…';
  const logs = (name: string) => {
    const group = [`/aws/lambda/holdfast-prod-${name}`];
    return { 'logs:CreateLogStream': group, 'logs:PutLogEvents': group };
  };

  it('lets the worker work on runs, read the secrets of its stage, use credentials, and be admitted', () => {
    expect(allowed(prod, 'holdfast-prod-worker')).toEqual({
      ...logs('worker'),
      'sqs:ReceiveMessage': ['holdfast-prod-start', 'holdfast-prod-wake'],
      'sqs:DeleteMessage': ['holdfast-prod-start', 'holdfast-prod-wake'],
      'sqs:GetQueueAttributes': ['holdfast-prod-start', 'holdfast-prod-wake'],
      'sqs:SendMessage': ['holdfast-prod-start', 'holdfast-prod-wake'],
      'dynamodb:BatchGetItem': ['holdfast-prod-runs'],
      'dynamodb:GetItem': [admission, credentials, 'holdfast-prod-runs'],
      'dynamodb:Query': [admission, 'holdfast-prod-runs'],
      'dynamodb:PutItem': [admission, credentials, 'holdfast-prod-runs'],
      'dynamodb:UpdateItem': [admission, credentials, 'holdfast-prod-runs'],
      'dynamodb:DeleteItem': [admission, credentials],
      's3:GetObject': [`${bucket}/*`],
      's3:PutObject': [`${bucket}/*`],
      's3:ListBucket': [bucket],
      'secretsmanager:GetSecretValue': ['arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:holdfast/prod/*'],
    });
  });

  it('lets the API start, show and delete runs, look tokens up, hold connections, and manage credentials, with the key that encrypts them and no other secret', () => {
    expect(allowed(prod, 'holdfast-prod-api')).toEqual({
      ...logs('api'),
      'sqs:SendMessage': ['holdfast-prod-start', 'holdfast-prod-wake'],
      'dynamodb:BatchGetItem': ['holdfast-prod-runs'],
      'dynamodb:GetItem': ['holdfast-prod-connections', admission, credentials, 'holdfast-prod-runs'],
      'dynamodb:Query': [admission, credentials, 'holdfast-prod-runs', 'holdfast-prod-runs/index/recent'],
      'dynamodb:PutItem': ['holdfast-prod-runs'],
      'dynamodb:UpdateItem': [admission, credentials, 'holdfast-prod-runs'],
      'dynamodb:DeleteItem': [credentials, 'holdfast-prod-runs'],
      'dynamodb:BatchWriteItem': ['holdfast-prod-runs'],
      's3:GetObject': [`${bucket}/*`],
      's3:PutObject': [`${bucket}/*`],
      's3:DeleteObject': [`${bucket}/*`],
      's3:ListBucket': [bucket],
      'secretsmanager:GetSecretValue': [
        `arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:holdfast/prod/${DEPLOYMENT_KEY}-*`,
      ],
    });
  });

  it('lets the sweeper find what is due, and wake it', () => {
    expect(allowed(prod, 'holdfast-prod-sweeper')).toEqual({
      ...logs('sweeper'),
      'sqs:SendMessage': ['holdfast-prod-wake'],
      'dynamodb:BatchGetItem': ['holdfast-prod-runs'],
      'dynamodb:UpdateItem': ['holdfast-prod-runs'],
      'dynamodb:Query': ['holdfast-prod-runs/index/due'],
    });
  });

  it('lets the dead-letters function put letters on record', () => {
    expect(allowed(prod, 'holdfast-prod-dead-letters')).toEqual({
      ...logs('dead-letters'),
      'sqs:ReceiveMessage': ['holdfast-prod-dead-letters'],
      'sqs:DeleteMessage': ['holdfast-prod-dead-letters'],
      'sqs:GetQueueAttributes': ['holdfast-prod-dead-letters'],
      'dynamodb:BatchGetItem': ['holdfast-prod-runs'],
      'dynamodb:PutItem': ['holdfast-prod-runs'],
      'dynamodb:UpdateItem': ['holdfast-prod-runs'],
      's3:PutObject': [`${bucket}/*`],
    });
  });

  it('has no managed policy and no wildcard for an action or a whole resource', () => {
    for (const { Properties } of Object.values(resources(prod, 'AWS::IAM::Role')))
      expect(Properties).not.toHaveProperty('ManagedPolicyArns');
    for (const name of FUNCTIONS) {
      for (const [action, targets] of Object.entries(allowed(prod, `holdfast-prod-${name}`))) {
        expect(action).not.toContain('*');
        for (const target of targets) expect(target).not.toMatch(/^\*|:\*$|^[^/]*\*/);
      }
    }
  });

  it('gives no access to Secrets Manager where secrets are in a file', () => {
    expect(allowed(local, 'holdfast-local-worker')).not.toHaveProperty('secretsmanager:GetSecretValue');
  });
});

describe('the deployment key', () => {
  it('is made with the stack, under the name that calls ask for, and stays', () => {
    const { resource } = named(prod, 'AWS::SecretsManager::Secret', 'Name', `holdfast/prod/${DEPLOYMENT_KEY}`);
    expect(resource.Properties.GenerateSecretString).toEqual({ PasswordLength: 64, ExcludePunctuation: true });
    expect(resource.DeletionPolicy).toBe('Retain');
  });

  it('is in the file of secrets where that is where secrets are', () => {
    local.resourceCountIs('AWS::SecretsManager::Secret', 0);
  });
});

describe('the whole stack', () => {
  it('is what it was', () => {
    const text = JSON.stringify(prod.toJSON(), null, 2)
      .replaceAll(/\b[0-9a-f]{64}(?=\.zip")/g, '<code>')
      .replaceAll(/asset\.[0-9a-f]{64}/g, 'asset.<code>');
    expect(JSON.parse(text)).toMatchSnapshot();
  });

  it('does not depend on the code of its functions but by the names of their assets', () => {
    const once = JSON.stringify(prod.toJSON());
    expect(JSON.stringify(templateOf(config, 'prod', { HOLDFAST_API_TOKEN_SHA256: HASH }).toJSON())).toBe(once);
  });
});
