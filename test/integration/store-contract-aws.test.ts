/** The ports on AWS, held to the contracts over real sockets. */
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { systemClock } from '../../src/aws/clock.ts';
import { s3PayloadRemoval, s3PayloadStore } from '../../src/aws/payload-store.ts';
import { dynamoRunStore } from '../../src/aws/run-store.ts';
import { sqsWakeQueue } from '../../src/aws/wake-queue.ts';
import { seededEntropy } from '../../src/testing/index.ts';
import { type Emulators, startEmulators } from '../support/aws-emulators.ts';
import { payloadStoreContract } from '../support/contracts/payload-store.ts';
import { runStoreContract } from '../support/contracts/run-store.ts';
import { wakeQueueContract } from '../support/contracts/wake-queue.ts';

let aws: Emulators;
beforeAll(async () => {
  aws = await startEmulators();
});
afterEach(() => aws.faults());
afterAll(() => aws.stop());

type Entry = { MessageBody: string; MessageGroupId: string };

const waiting = { clock: systemClock(), entropy: seededEntropy(1) };

describe('the run store on DynamoDB', () => {
  runStoreContract(async () => ({
    store: dynamoRunStore({ ...waiting, client: aws.clients.dynamodb, table: await aws.createRunsTable(), retentionDays: 30 }),
    loseNextAnswer: () => {
      let lose = true;
      aws.faults((operation) => {
        if (!lose || !['PutItem', 'UpdateItem'].includes(operation)) return undefined;
        lose = false;
        return 'lose-answer';
      });
    },
  }));
});

describe('the payload store on S3', () => {
  payloadStoreContract(async () => {
    const bucket = await aws.createBucket();
    return { ...s3PayloadStore(aws.clients.s3, bucket), ...s3PayloadRemoval(aws.clients.s3, bucket) };
  });
});

describe('the wake queue on SQS', () => {
  wakeQueueContract(async () => {
    const url = await aws.createQueue();
    return {
      queue: sqsWakeQueue(aws.clients.sqs, url, waiting),
      // The emulator forgets the group of a message on a standard queue: what was sent tells.
      visible: async () => {
        const sent = aws.inputs<{ QueueUrl: string; Entries: Entry[] }>('SendMessageBatch').filter(({ QueueUrl }) => QueueUrl === url);
        const tenants = new Map(sent.flatMap(({ Entries }) => Entries).map((entry) => [entry.MessageBody, entry.MessageGroupId]));
        return (await aws.receive(url)).map(({ Body = '' }) => ({ ...JSON.parse(Body), tenant: tenants.get(Body) }));
      },
      delayed: async () => {
        const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['ApproximateNumberOfMessagesDelayed'] });
        return { count: Number((await aws.clients.sqs.send(command)).Attributes?.ApproximateNumberOfMessagesDelayed) };
      },
    };
  });
});
