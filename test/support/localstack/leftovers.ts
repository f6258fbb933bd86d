/** What of a stage is in the account: by name and by kind, straight from each service and not from CloudFormation's memory. */
import { DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { paginateListTables } from '@aws-sdk/client-dynamodb';
import { paginateListEventSourceMappings, paginateListFunctions } from '@aws-sdk/client-lambda';
import { ListBucketsCommand } from '@aws-sdk/client-s3';
import { paginateListSecrets } from '@aws-sdk/client-secrets-manager';
import { paginateListQueues } from '@aws-sdk/client-sqs';
import type { Emulator } from './emulator.ts';

export type InAccount = Record<Kind, string[]>;
type Kind = 'stack' | 'queues' | 'tables' | 'buckets' | 'functions' | 'eventSources' | 'logGroups' | 'rules' | 'secrets' | 'restApis';

/** Names by kind. */
export async function inAccount(aws: Emulator, stage: string): Promise<InAccount> {
  const prefix = `holdfast-${stage}`;
  const names = async <Page>(pages: AsyncIterable<Page>, of: (page: Page) => Array<string | undefined> | undefined): Promise<string[]> => {
    const all: string[] = [];
    for await (const page of pages) all.push(...(of(page) ?? []).filter((name) => name !== undefined));
    return all.filter((name) => name.includes(prefix) || name.includes(`holdfast/${stage}/`));
  };
  return {
    stack: await stacks(aws, prefix),
    queues: await names(paginateListQueues({ client: aws.sqs }, {}), (page) => page.QueueUrls),
    tables: await names(paginateListTables({ client: aws.dynamodb }, {}), (page) => page.TableNames),
    buckets: ((await aws.s3.send(new ListBucketsCommand({}))).Buckets ?? [])
      .map(({ Name = '' }) => Name)
      .filter((name) => name.startsWith(prefix)),
    functions: await names(paginateListFunctions({ client: aws.lambda }, {}), (page) =>
      page.Functions?.map(({ FunctionName }) => FunctionName),
    ),
    eventSources: await names(paginateListEventSourceMappings({ client: aws.lambda }, {}), (page) =>
      page.EventSourceMappings?.map(({ EventSourceArn }) => EventSourceArn),
    ),
    logGroups:
      (
        await aws.json<{ logGroups?: Array<{ logGroupName: string }> }>('logs', 'Logs_20140328.DescribeLogGroups', {
          logGroupNamePrefix: `/aws/lambda/${prefix}`,
        })
      ).logGroups?.map(({ logGroupName }) => logGroupName) ?? [],
    rules:
      (await aws.json<{ Rules?: Array<{ Name: string }> }>('events', 'AWSEvents.ListRules', { NamePrefix: prefix })).Rules?.map(
        ({ Name }) => Name,
      ) ?? [],
    secrets: await names(paginateListSecrets({ client: aws.secrets }, { IncludePlannedDeletion: false }), (page) =>
      page.SecretList?.map(({ Name }) => Name),
    ),
    restApis: restApis(await aws.get('apigateway', '/restapis')).filter((name) => name === prefix),
  };
}

async function stacks(aws: Emulator, name: string): Promise<string[]> {
  try {
    const { Stacks = [] } = await aws.cloudformation.send(new DescribeStacksCommand({ StackName: name }));
    return Stacks.filter(({ StackStatus }) => StackStatus !== 'DELETE_COMPLETE').map(({ StackName = '' }) => StackName);
  } catch (error) {
    if (/does not exist/.test((error as Error).message)) return [];
    throw error;
  }
}

function restApis(text: string): string[] {
  const { item = [] } = JSON.parse(text) as { item?: Array<{ name: string }> };
  return item.map(({ name }) => name);
}
