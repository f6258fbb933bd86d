/**
 * DynamoDB, SQS and S3 for one test file: dynalite and fauxqs in this process, on free ports of 127.0.0.1.
 * In front of DynamoDB and SQS stands a relay that can lose a request, lose an answer, or change one.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CreateTableCommand, type CreateTableCommandInput, DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { CreateQueueCommand, type Message, ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import dynalite from 'dynalite';
import { buildApp } from 'fauxqs';
import { Pool } from 'undici';
import { awsClients, type Clients } from '../../src/aws/clients.ts';
import { queueUrlAt } from '../../src/aws/endpoints.ts';
import { RUNS_TABLE_SCHEMA } from '../../src/aws/table-schema.ts';

/** What happens to one request, told by its operation (`PutItem`) and input. */
export type Fault = 'lose-request' | 'lose-answer' | ((answer: Record<string, unknown>) => Record<string, unknown>) | undefined;
export type FaultRule = (operation: string, input: Record<string, unknown>) => Fault;

export type Emulators = {
  readonly clients: Clients;
  /** As a deployed function would find it: endpoints, region, credentials. */
  readonly env: Record<string, string>;
  /** Decides over each DynamoDB and SQS request from now on; without one, all pass. */
  faults(rule?: FaultRule): void;
  /** The inputs of all requests for an operation, in order of arrival. */
  inputs<T = Record<string, unknown>>(operation: string): T[];
  createRunsTable(): Promise<string>;
  createQueue(attributes?: Record<string, string>): Promise<string>;
  createBucket(): Promise<string>;
  /** What is visible in a queue now, with all its attributes. */
  receive(queueUrl: string): Promise<Message[]>;
  stop(): Promise<void>;
};

export async function startEmulators(): Promise<Emulators> {
  const dynamodb = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  const app = buildApp({ logger: false });
  const inputs: Array<{ operation: string; input: unknown }> = [];
  let rule: FaultRule | undefined;
  const decide: FaultRule = (operation, input) => {
    inputs.push({ operation, input });
    return rule?.(operation, input);
  };
  const fauxqsUrl = await app.listen({ port: 0, host: '127.0.0.1' });
  const relays = [await relay(await listen(dynamodb), decide), await relay(fauxqsUrl, decide)] as const;

  const env = {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL: fauxqsUrl,
    AWS_ENDPOINT_URL_DYNAMODB: relays[0].url,
    AWS_ENDPOINT_URL_SQS: relays[1].url,
  };
  const clients = awsClients(env);
  let made = 0;
  const name = (kind: string) => `${kind}-${++made}`;

  return {
    clients,
    env,
    faults: (next) => {
      rule = next;
    },
    inputs: <T>(wanted: string) => inputs.filter(({ operation }) => operation === wanted).map(({ input }) => input as T),
    async createRunsTable() {
      const TableName = name('runs');
      await clients.dynamodb.send(new CreateTableCommand({ TableName, ...RUNS_TABLE_SCHEMA } as unknown as CreateTableCommandInput));
      const status = async () => (await clients.dynamodb.send(new DescribeTableCommand({ TableName }))).Table?.TableStatus;
      while ((await status()) !== 'ACTIVE');
      return TableName;
    },
    async createQueue(attributes = {}) {
      const { QueueUrl } = await clients.sqs.send(new CreateQueueCommand({ QueueName: name('queue'), Attributes: attributes }));
      return queueUrlAt(QueueUrl ?? '', relays[1].url);
    },
    async createBucket() {
      const Bucket = name('bucket');
      await (await clients.s3()).send(new CreateBucketCommand({ Bucket }));
      return Bucket;
    },
    async receive(queueUrl) {
      const command = new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: 10,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
      });
      return (await clients.sqs.send(command)).Messages ?? [];
    },
    async stop() {
      clients.destroy();
      for (const { stop } of relays) await stop();
      await app.close();
      await close(dynamodb);
    },
  };
}

async function relay(target: string, decide: FaultRule): Promise<{ url: string; stop(): Promise<void> }> {
  const pool = new Pool(target, { connections: 64 });
  const server = createServer((request, response) => {
    void (async () => {
      const body = await bodyOf(request);
      const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
      const fault = decide(operation, JSON.parse(body.toString()) as Record<string, unknown>);
      if (fault === 'lose-request') return void request.socket.destroy();
      const { connection: _, 'transfer-encoding': __, ...headers } = request.headers;
      const answer = await pool.request({ method: 'POST', path: '/', headers: headers as Record<string, string>, body });
      const text = await answer.body.text();
      if (fault === 'lose-answer') return void request.socket.destroy();
      const changed = fault ? JSON.stringify(fault(JSON.parse(text) as Record<string, unknown>)) : text;
      response.writeHead(answer.statusCode, { 'content-type': 'application/x-amz-json-1.0' }).end(changed);
    })().catch((error: unknown) => response.destroy(error as Error));
  });
  return {
    url: await listen(server),
    async stop() {
      await close(server);
      await pool.destroy();
    },
  };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
