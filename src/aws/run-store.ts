/** RunStore on DynamoDB. Knows how runs are stored, not what they mean. */
import type { RunStore } from '../engine/ports.ts';
import { deadLetters } from './dead-letters.ts';
import { runInbox } from './run-inbox.ts';
import { runLists } from './run-lists.ts';
import { runPurge } from './run-purge.ts';
import { runReads } from './run-reads.ts';
import type { RunTable } from './run-table.ts';
import { runWrites } from './run-writes.ts';

export function dynamoRunStore(table: RunTable): RunStore {
  return { ...runReads(table), ...runWrites(table), ...runInbox(table), ...runLists(table), ...runPurge(table), ...deadLetters(table) };
}
