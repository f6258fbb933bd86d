/** What each resource is called here: the names that the template gives, or ones made from the logical id, and the ARNs. Pure. */
import { ACCOUNT, REGION } from '../aws/client.ts';
import type { Lookup, Resource } from './intrinsics.ts';

export const STACK = 'holdfast-local';

const arn = (service: string, rest: string, region = REGION, account = ACCOUNT) => `arn:aws:${service}:${region}:${account}:${rest}`;

/** Names must not depend on each other: a name that is itself computed is not supported. */
const given = (resource: Resource, property: string, fallback: string): string => {
  const name = resource.Properties?.[property];
  return typeof name === 'string' ? name : fallback;
};

const lower = (id: string) => `${STACK}-${id}`.toLowerCase().slice(0, 63);

type Naming = { ref: (id: string, resource: Resource) => string; attributes: Record<string, (id: string, resource: Resource) => string> };

function namings(awsUrl: string): Record<string, Naming> {
  const queue = (id: string, resource: Resource) => given(resource, 'QueueName', `${STACK}-${id}`);
  const queueUrl = (id: string, resource: Resource) => `${awsUrl}/${ACCOUNT}/${queue(id, resource)}`;
  const table = (id: string, resource: Resource) => given(resource, 'TableName', `${STACK}-${id}`);
  const bucket = (id: string, resource: Resource) => given(resource, 'BucketName', lower(id));
  const fn = (id: string, resource: Resource) => given(resource, 'FunctionName', `${STACK}-${id}`);
  const role = (id: string, resource: Resource) => given(resource, 'RoleName', `${STACK}-${id}`);
  const rule = (id: string, resource: Resource) => given(resource, 'Name', `${STACK}-${id}`);
  const logs = (id: string, resource: Resource) => given(resource, 'LogGroupName', `/aws/lambda/${id}`);
  const own = (id: string) => id;
  return {
    'AWS::SQS::Queue': {
      ref: queueUrl,
      attributes: { Arn: (id, resource) => arn('sqs', queue(id, resource)), QueueName: queue, QueueUrl: queueUrl },
    },
    'AWS::DynamoDB::Table': { ref: table, attributes: { Arn: (id, resource) => arn('dynamodb', `table/${table(id, resource)}`) } },
    'AWS::S3::Bucket': { ref: bucket, attributes: { Arn: (id, resource) => arn('s3', bucket(id, resource), '', '') } },
    'AWS::Lambda::Function': { ref: fn, attributes: { Arn: (id, resource) => arn('lambda', `function:${fn(id, resource)}`) } },
    'AWS::IAM::Role': {
      ref: role,
      attributes: { Arn: (id, resource) => arn('iam', `role/${role(id, resource)}`, ''), RoleId: own },
    },
    'AWS::Events::Rule': { ref: rule, attributes: { Arn: (id, resource) => arn('events', `rule/${rule(id, resource)}`) } },
    'AWS::Logs::LogGroup': { ref: logs, attributes: { Arn: (id, resource) => arn('logs', `log-group:${logs(id, resource)}:*`) } },
    'AWS::ApiGateway::RestApi': { ref: own, attributes: { RootResourceId: (id) => `${id}/root`, RestApiId: own } },
    'AWS::ApiGateway::Resource': { ref: own, attributes: { ResourceId: own } },
    'AWS::ApiGateway::Deployment': { ref: own, attributes: { DeploymentId: own } },
    'AWS::ApiGateway::Stage': { ref: (id, resource) => given(resource, 'StageName', id), attributes: {} },
    'AWS::Lambda::EventSourceMapping': { ref: own, attributes: { Id: own } },
  };
}

export function lookup(awsUrl: string): Lookup {
  const types = namings(awsUrl);
  return {
    pseudo: {
      'AWS::Region': REGION,
      'AWS::AccountId': ACCOUNT,
      'AWS::Partition': 'aws',
      'AWS::URLSuffix': 'amazonaws.com',
      'AWS::StackName': STACK,
      'AWS::StackId': arn('cloudformation', `stack/${STACK}/local`),
    },
    ref: (id, resource) => types[resource.Type]?.ref(id, resource),
    attribute: (id, resource, attribute) => types[resource.Type]?.attributes[attribute]?.(id, resource),
  };
}
