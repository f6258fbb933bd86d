/**
 * SQS and S3: fauxqs on stores that are assembled here, because its public entry offers persistence only together with
 * a listener on all interfaces. Owns what fauxqs gets wrong across a `kill -9`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buildApp } from 'fauxqs';
import { type Availability, announce, watchQueue } from './availability.ts';

type Stores = NonNullable<NonNullable<Parameters<typeof buildApp>[0]>['stores']>;
type Queue = ReturnType<Stores['sqsStore']['createQueue']>;
type Database = { exec(sql: string): void; prepare(sql: string): { run(...values: string[]): unknown } };
/** fauxqs's PersistenceManager, whose `db` is private to TypeScript alone. */
type Persistence = {
  db: Database;
  updateMessageReady(messageId: string): void;
  load(sqs: Stores['sqsStore'], sns: Stores['snsStore'], s3: Stores['s3Store']): void;
  transaction(fn: () => void): void;
  close(): void;
};

/** The stores are not among the package's exports; the version is pinned. */
async function internals(): Promise<{
  SqsStore: new () => Stores['sqsStore'];
  SnsStore: new () => Stores['snsStore'];
  S3Store: new () => Stores['s3Store'];
  PersistenceManager: new (dir: string) => Persistence;
}> {
  const entry = import.meta.resolve('fauxqs');
  const load = (path: string) => import(new URL(path, entry).href);
  const [sqs, sns, s3, persistence] = await Promise.all(
    ['./sqs/sqsStore.js', './sns/snsStore.js', './s3/s3Store.js', './persistence.js'].map(load),
  );
  return { ...sqs, ...sns, ...s3, ...persistence };
}

function openPersistence(Manager: new (dir: string) => Persistence, dir: string): Persistence {
  const persistence = new Manager(dir);
  // What must survive is the end of the process, not of the machine: the operating system's cache is enough.
  persistence.db.exec('PRAGMA synchronous = NORMAL');
  // Nobody who held a message is left. Their receive counts stay: they are how a crash is noticed.
  persistence.db.exec('UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL');
  // fauxqs writes NULL into a NOT NULL column here, which fails half way and drops the message.
  const ready = persistence.db.prepare('UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL WHERE message_id = ?');
  persistence.updateMessageReady = (messageId) => void ready.run(messageId);
  return persistence;
}

/** One transaction for a receive: a message on its way to the dead-letter queue is never in neither, and a batch costs one commit. */
function dequeueAtOnce(queue: Queue, persistence: Persistence): Queue {
  const { dequeue } = queue;
  queue.dequeue = (...args) => {
    let received: ReturnType<Queue['dequeue']> = [];
    persistence.transaction(() => {
      received = dequeue.apply(queue, args);
    });
    return received;
  };
  return queue;
}

export type SqsAndS3 = { handle(request: IncomingMessage, response: ServerResponse): void; close(): Promise<void> };

export async function openSqsAndS3(options: { data?: string; availability: Availability }): Promise<SqsAndS3> {
  const { SqsStore, SnsStore, S3Store, PersistenceManager } = await internals();
  const stores: Stores = { sqsStore: new SqsStore(), snsStore: new SnsStore(), s3Store: new S3Store() };
  // Without a host of its own it builds queue URLs from the request's, which is the one that the client can reach.
  stores.sqsStore.host = '';
  const watch = (queue: Queue) => watchQueue(queue, options.availability);
  const create = stores.sqsStore.createQueue.bind(stores.sqsStore);
  stores.sqsStore.createQueue = (...args) => watch(create(...args));

  let persistence: Persistence | undefined;
  if (options.data !== undefined) {
    const opened = openPersistence(PersistenceManager, options.data);
    persistence = opened;
    // Loaded before the stores know of it: writing while loading would cascade into deletes.
    persistence.load(stores.sqsStore, stores.snsStore, stores.s3Store);
    const queues = [...stores.sqsStore.allQueues()];
    for (const part of [...Object.values(stores), ...queues]) Object.assign(part, { persistence });
    for (const queue of queues) announce(queue, options.availability);
    for (const queue of queues) dequeueAtOnce(queue, persistence);
    const createEmpty = stores.sqsStore.createQueue;
    stores.sqsStore.createQueue = (...args) => dequeueAtOnce(createEmpty(...args), opened);
  }
  const app = buildApp({ logger: false, stores, defaultRegion: 'us-east-1' });
  await app.ready();
  return {
    handle: (request, response) => app.routing(request, response),
    async close() {
      await app.close();
      persistence?.close();
    },
  };
}
