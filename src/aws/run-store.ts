/** RunStore on DynamoDB, as much of it as its user needs. Knows how runs are stored, not what they mean. */
import type { RunStore, WorkStore } from '../engine/ports.ts';
import { deadLetters } from './dead-letters.ts';
import { runInbox } from './run-inbox.ts';
import { runLists } from './run-lists.ts';
import { runPurge } from './run-purge.ts';
import { runReads } from './run-reads.ts';
import type { RunTable } from './run-table.ts';
import { runWrites } from './run-writes.ts';

/** A function of its own, so that no worker carries what only people need. */
export function dynamoWorkStore(table: RunTable): WorkStore {
  return { ...runReads(table), ...runWrites(table), ...runInbox(table) };
}

export function dynamoRunStore(table: RunTable): RunStore {
  return { ...dynamoWorkStore(table), ...runLists(table), ...runPurge(table), ...deadLetters(table) };
}
