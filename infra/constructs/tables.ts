/** The tables. Their keys and indexes are the stores' own: src/aws/table-schema.ts. */
import { AttributeType, BillingMode, ProjectionType, Table } from 'aws-cdk-lib/aws-dynamodb';
import { RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { PARTITION_KEY, RUNS_TABLE_SCHEMA, SORT_KEY, TTL_ATTRIBUTE } from '../../src/aws/table-schema.ts';
import type { Stage } from '../config.ts';

type Key = (typeof RUNS_TABLE_SCHEMA.GlobalSecondaryIndexes)[number]['KeySchema'][number];

export class Tables extends Construct {
  readonly runs: Table;
  readonly connections: Table;

  constructor(scope: Construct, id: string, stage: Stage) {
    super(scope, id);
    // Table, not TableV2: emulators do not know global tables.
    const table = (name: string) =>
      new Table(this, name[0]?.toUpperCase() + name.slice(1), {
        tableName: `holdfast-${stage.name}-${name}`,
        partitionKey: { name: PARTITION_KEY, type: AttributeType.STRING },
        sortKey: { name: SORT_KEY, type: AttributeType.STRING },
        billingMode: BillingMode.PAY_PER_REQUEST,
        timeToLiveAttribute: TTL_ATTRIBUTE,
        pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: !stage.disposable },
        deletionProtection: !stage.disposable,
        removalPolicy: stage.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
      });
    this.runs = table('runs');
    for (const { IndexName, KeySchema, Projection } of RUNS_TABLE_SCHEMA.GlobalSecondaryIndexes) {
      const [partitionKey, sortKey] = KeySchema.map(attribute) as [ReturnType<typeof attribute>, ReturnType<typeof attribute>];
      this.runs.addGlobalSecondaryIndex({
        indexName: IndexName,
        partitionKey,
        sortKey,
        projectionType: ProjectionType[Projection.ProjectionType],
        ...('NonKeyAttributes' in Projection ? { nonKeyAttributes: [...Projection.NonKeyAttributes] } : {}),
      });
    }
    this.connections = table('connections');
  }
}

function attribute({ AttributeName: name }: Key): { name: string; type: AttributeType } {
  const definition = RUNS_TABLE_SCHEMA.AttributeDefinitions.find(({ AttributeName }) => AttributeName === name);
  return { name, type: definition?.AttributeType === 'N' ? AttributeType.NUMBER : AttributeType.STRING };
}
