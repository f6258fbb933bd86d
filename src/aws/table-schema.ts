/**
 * The names and keys of the runs table, for whoever creates it and whoever uses it.
 * Constants alone: imported by infrastructure code, it must never import a client.
 */

export const PARTITION_KEY = 'pk';
export const SORT_KEY = 'sk';
/** Seconds since the epoch, on stubs and finished runs only. */
export const TTL_ATTRIBUTE = 'expiresAt';

/** Unfinished runs by the time at which the sweeper looks at them. Sparse: finished runs have no `due`. */
export const DUE_INDEX = 'due';
/** `due#0` to `due#15`, by a hash of the run id. */
export const DUE_PARTITION_KEY = 'dueShard';
/** Milliseconds since the epoch. */
export const DUE_SORT_KEY = 'due';
export const DUE_SHARDS = 16;

/** Runs by the hour of their creation, and dead letters, newest last. */
export const RECENT_INDEX = 'recent';
/** `<shard>#<yyyy-mm-ddThh>` for runs, `<shard>#dead` for dead letters. */
export const RECENT_PARTITION_KEY = 'recentBucket';
/** `<milliseconds since the epoch, 15 digits>#<id>`: a total order, so that a cursor is simply a place in it. */
export const RECENT_SORT_KEY = 'recentOrder';
export const RECENT_SHARDS = 4;
/** What a list shows; everything else is read from the item itself. */
export const RECENT_ATTRIBUTES = [
  'tenant',
  'workflow',
  'version',
  'status',
  'createdAt',
  'startedAt',
  'endedAt',
  'wakeAt',
  'reason',
] as const;

/** Of the table of connections: partitions of credentials begin so, and no others. */
export const CREDENTIAL_PREFIX = 'CRED#';
/** And those of admission so. */
export const ADMISSION_PREFIX = 'ADM#';

/** The same as data, in the words of DynamoDB's CreateTable. */
export const RUNS_TABLE_SCHEMA = {
  BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: [
    { AttributeName: PARTITION_KEY, AttributeType: 'S' },
    { AttributeName: SORT_KEY, AttributeType: 'S' },
    { AttributeName: DUE_PARTITION_KEY, AttributeType: 'S' },
    { AttributeName: DUE_SORT_KEY, AttributeType: 'N' },
    { AttributeName: RECENT_PARTITION_KEY, AttributeType: 'S' },
    { AttributeName: RECENT_SORT_KEY, AttributeType: 'S' },
  ],
  KeySchema: [
    { AttributeName: PARTITION_KEY, KeyType: 'HASH' },
    { AttributeName: SORT_KEY, KeyType: 'RANGE' },
  ],
  GlobalSecondaryIndexes: [
    {
      IndexName: DUE_INDEX,
      KeySchema: [
        { AttributeName: DUE_PARTITION_KEY, KeyType: 'HASH' },
        { AttributeName: DUE_SORT_KEY, KeyType: 'RANGE' },
      ],
      Projection: { ProjectionType: 'KEYS_ONLY' },
    },
    {
      IndexName: RECENT_INDEX,
      KeySchema: [
        { AttributeName: RECENT_PARTITION_KEY, KeyType: 'HASH' },
        { AttributeName: RECENT_SORT_KEY, KeyType: 'RANGE' },
      ],
      Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: RECENT_ATTRIBUTES },
    },
  ],
} as const;
