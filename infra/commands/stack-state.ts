/** A stack as CloudFormation knows it: whether it is there, what it says of itself, and its removal with progress. */
import {
  type CloudFormationClient,
  CloudFormationServiceException,
  DeleteStackCommand,
  DescribeStacksCommand,
  GetTemplateCommand,
  paginateDescribeStackEvents,
  paginateListStackResources,
  type StackEvent,
  UpdateTerminationProtectionCommand,
} from '@aws-sdk/client-cloudformation';
import { CommandError } from './program.ts';

export type StackState = { id: string; status: string; isProtected: boolean; outputs: Readonly<Record<string, string>> };
export type StackResource = { logicalId: string; type: string; name: string; retained: boolean };

const POLL_MS = 1_500;

export async function findStack(client: CloudFormationClient, name: string): Promise<StackState | undefined> {
  try {
    const [stack] = (await client.send(new DescribeStacksCommand({ StackName: name }))).Stacks ?? [];
    if (!stack?.StackId || stack.StackStatus === 'DELETE_COMPLETE') return undefined;
    return {
      id: stack.StackId,
      status: stack.StackStatus ?? '',
      isProtected: stack.EnableTerminationProtection === true,
      outputs: Object.fromEntries((stack.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue])),
    };
  } catch (error) {
    if (error instanceof CloudFormationServiceException && /does not exist/.test(error.message)) return undefined;
    throw reachable(error);
  }
}

/**
 * What a stack consists of, and what of it stays when the stack goes. `disposable`: nothing would, by its template: a stack whose
 * creation failed may have none of its resources, and its stage's data lies there all the same.
 */
export async function stackResources(
  client: CloudFormationClient,
  id: string,
): Promise<{ resources: StackResource[]; disposable: boolean }> {
  const { TemplateBody = '{}' } = await client.send(new GetTemplateCommand({ StackName: id, TemplateStage: 'Original' }));
  const { Resources = {} } = JSON.parse(TemplateBody) as { Resources?: Record<string, { DeletionPolicy?: string }> };
  const found: StackResource[] = [];
  for await (const { StackResourceSummaries = [] } of paginateListStackResources({ client }, { StackName: id })) {
    for (const { LogicalResourceId = '', ResourceType = '', PhysicalResourceId = '', ResourceStatus = '' } of StackResourceSummaries) {
      if (ResourceStatus === 'DELETE_COMPLETE' || PhysicalResourceId === '') continue;
      const retained = Resources[LogicalResourceId]?.DeletionPolicy?.startsWith('Retain') === true;
      found.push({ logicalId: LogicalResourceId, type: ResourceType, name: PhysicalResourceId, retained });
    }
  }
  const policies = Object.values(Resources).map(({ DeletionPolicy }) => DeletionPolicy);
  return { resources: found, disposable: policies.length > 0 && !policies.some((policy) => policy?.startsWith('Retain')) };
}

/** Resolves when the stack is gone. `told`: each resource as it goes. Rejects with the resources that could not be deleted, and why. */
export async function deleteStack(
  client: CloudFormationClient,
  { id, isProtected }: StackState,
  told: (resource: string, gone: number) => void,
): Promise<void> {
  if (isProtected) await client.send(new UpdateTerminationProtectionCommand({ StackName: id, EnableTerminationProtection: false }));
  const began = Date.now();
  await client.send(new DeleteStackCommand({ StackName: id }));
  const seen = new Set<string>();
  for (;;) {
    // Asked before the events: the last of them are read, too.
    const status = await statusOf(client, id);
    for (const event of await newEvents(client, id, began, seen)) {
      if (event.ResourceStatus === 'DELETE_COMPLETE') told(`${event.ResourceType} ${event.PhysicalResourceId}`, seen.size);
    }
    if (status === undefined || status === 'DELETE_COMPLETE') return;
    if (status === 'DELETE_FAILED') throw new CommandError(await failures(client, id, began));
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

async function statusOf(client: CloudFormationClient, id: string): Promise<string | undefined> {
  return (await findStack(client, id))?.status;
}

async function newEvents(client: CloudFormationClient, id: string, since: number, seen: Set<string>): Promise<StackEvent[]> {
  const fresh: StackEvent[] = [];
  try {
    for await (const { StackEvents = [] } of paginateDescribeStackEvents({ client }, { StackName: id })) {
      for (const event of StackEvents) {
        // Newest first: beyond this everything is of an earlier deployment.
        if ((event.Timestamp?.getTime() ?? 0) < since - 60_000) return fresh.reverse();
        const key = event.EventId ?? '';
        if (seen.has(key) || event.PhysicalResourceId === id || !event.ResourceStatus?.startsWith('DELETE')) continue;
        if (event.ResourceStatus === 'DELETE_COMPLETE') seen.add(key);
        fresh.push(event);
      }
    }
  } catch (error) {
    // Some emulators forget the events together with the stack.
    if (!(error instanceof CloudFormationServiceException)) throw error;
  }
  return fresh.reverse();
}

async function failures(client: CloudFormationClient, id: string, since: number): Promise<string> {
  const events = await newEvents(client, id, since, new Set());
  const failed = events.filter(({ ResourceStatus }) => ResourceStatus === 'DELETE_FAILED');
  const lines = failed.map((event) => `  ${event.ResourceType} ${event.PhysicalResourceId}: ${event.ResourceStatusReason}`);
  return ['CloudFormation could not delete all of the stack:', ...new Set(lines), 'Mend that and run the same command again.'].join('\n');
}

/** The SDK's errors on the way to AWS, as what to do. */
export function reachable(error: unknown): unknown {
  const { name, message } = error as Error;
  const say = (text: string) => new CommandError(`${text}\n  (${name}: ${message})`, { cause: error });
  if (name === 'CredentialsProviderError') {
    return say('no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run aws sso login');
  }
  if (/Expired|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch/.test(name)) {
    return say('AWS does not accept these credentials: renew them, aws sso login say');
  }
  if (name === 'AccessDenied' || name === 'AccessDeniedException') {
    return say('these credentials may not look at CloudFormation: docs/deploy.md has the policy that a deployer needs');
  }
  if (/region is missing/i.test(message)) return say('no region: set AWS_REGION to where the stack is to be');
  return error;
}
