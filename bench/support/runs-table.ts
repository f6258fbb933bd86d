/** The runs table as the price of a write depends on it: keys, indexes and what they project. */
import { PARTITION_KEY, RUNS_TABLE_SCHEMA, SORT_KEY } from '../../src/aws/table-schema.ts';
import type { Table } from './capacity.ts';

export const RUNS_TABLE: Table = {
  keys: [PARTITION_KEY, SORT_KEY],
  indexes: RUNS_TABLE_SCHEMA.GlobalSecondaryIndexes.map(({ KeySchema: [partition, sort], Projection }) => ({
    partition: partition.AttributeName,
    sort: sort.AttributeName,
    projects: 'NonKeyAttributes' in Projection ? Projection.NonKeyAttributes : 'keys',
  })),
};
