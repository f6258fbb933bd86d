/** One stage of Holdfast as one stack: the list of its parts, and the names that people need to reach it. */
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { Stage } from './config.ts';
import { Alarms } from './constructs/alarms.ts';
import { Dashboard } from './constructs/dashboard.ts';
import { DeploymentKey } from './constructs/deployment-key.ts';
import { type Deployed, Functions } from './constructs/functions.ts';
import { HttpApi } from './constructs/http-api.ts';
import { Payloads } from './constructs/payloads.ts';
import { Queues } from './constructs/queues.ts';
import { Schedule } from './constructs/schedule.ts';
import { Tables } from './constructs/tables.ts';
import { stackName } from './names.ts';

export class HoldfastStack extends Stack {
  constructor(scope: Construct, stage: Stage, deployed: Deployed, props: StackProps = {}) {
    super(scope, stackName(stage.name), {
      stackName: stackName(stage.name),
      description: `Holdfast, stage ${stage.name}: durable runs on SQS, Lambda and DynamoDB`,
      terminationProtection: !stage.disposable,
      ...props,
    });
    const queues = new Queues(this, 'Queues', stage);
    const tables = new Tables(this, 'Tables', stage);
    const payloads = new Payloads(this, 'Payloads', stage);
    new DeploymentKey(this, 'DeploymentKey', stage);
    const functions = new Functions(this, 'Functions', stage, { queues, tables, payloads }, deployed).all;
    const api = new HttpApi(this, 'HttpApi', stage, functions.api);
    new Schedule(this, 'Schedule', stage, functions.sweeper);
    const watched = { queues, tables, functions, api };
    // Nobody watches a stage that can be thrown away.
    if (!stage.disposable) new Alarms(this, 'Alarms', stage, watched);
    if (stage.dashboard) new Dashboard(this, 'Dashboard', stage, watched);

    new CfnOutput(this, 'ApiUrl', { value: api.url });
    new CfnOutput(this, 'StartQueueUrl', { value: queues.start.queueUrl });
    new CfnOutput(this, 'RunsTable', { value: tables.runs.tableName });
    new CfnOutput(this, 'ConnectionsTable', { value: tables.connections.tableName });
    new CfnOutput(this, 'PayloadsBucket', { value: payloads.bucket.bucketName });
    new CfnOutput(this, 'Version', { value: deployed.version });
  }
}
