/** One page that shows how a stage is doing: runs, calls, queues, functions, tables. Optional: a dashboard is $3 a month. */
import { Dashboard as CloudWatchDashboard, GraphWidget, type IMetric, TextWidget } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import type { Stage } from '../config.ts';
import { FUNCTIONS } from '../settings.ts';
import type { Watched } from './alarm-list.ts';
import { each, ofStage, PERIOD } from './own-metrics.ts';

const COLUMNS = 24;

export class Dashboard extends Construct {
  constructor(scope: Construct, id: string, { name: stage }: Stage, { queues, tables, functions }: Watched) {
    super(scope, id);
    const sum = { period: PERIOD, statistic: 'Sum' };
    const max = { period: PERIOD, statistic: 'Maximum' };
    const allQueues = [queues.start, queues.wake, queues.deadLetters];
    const allFunctions = FUNCTIONS.map((name) => functions[name]);
    const bothTables = [tables.runs, tables.connections];

    const page = new CloudWatchDashboard(this, 'Page', { dashboardName: `holdfast-${stage}` });
    const title = (markdown: string) => page.addWidgets(new TextWidget({ markdown, width: COLUMNS, height: 1 }));
    const row = (...graphs: ReadonlyArray<readonly [string, IMetric[], IMetric[]?]>) =>
      page.addWidgets(
        ...graphs.map(
          ([text, left, right = []]) =>
            new GraphWidget({ title: text, left: [...left], right: [...right], width: COLUMNS / graphs.length }),
        ),
      );

    title('# Runs');
    row(
      ['Started, by workflow', [each(stage, 'RunsStarted', ['Workflow'])]],
      ['Ended, by status', [each(stage, 'RunsEnded', ['Workflow', 'Status'])]],
      ['Paused and dead letters', [ofStage(stage, 'RunsPaused'), ofStage(stage, 'DeadLetters')]],
    );
    row(
      ['Duration, p95, by workflow', [each(stage, 'RunDuration', ['Workflow'], 'p95')]],
      ['Waits and writes', [ofStage(stage, 'Waits'), ofStage(stage, 'RunWrites')]],
      ['Messages a batch', [ofStage(stage, 'BatchSize', 'Average'), ofStage(stage, 'BatchSize', 'Maximum')]],
    );
    title('# Calls');
    row(
      ['By connection and outcome', [each(stage, 'Calls', ['Connection', 'Effect', 'Outcome'])]],
      ['Duration, p95, by connection', [each(stage, 'CallDuration', ['Connection'], 'p95')]],
      ['Retries and throttling, by connection', [each(stage, 'Retries', ['Connection'])], [each(stage, 'Throttled', ['Connection'])]],
    );
    title('# What it runs on');
    row(
      ['Messages in the queues', allQueues.map((queue) => queue.metricApproximateNumberOfMessagesVisible(max))],
      ['Age of the oldest message', allQueues.map((queue) => queue.metricApproximateAgeOfOldestMessage(max))],
      ['Event loop delay of the worker, p99', [ofStage(stage, 'EventLoopDelay', 'Maximum')]],
    );
    row(
      ['Invocations at once', allFunctions.map((fn) => fn.metric('ConcurrentExecutions', max))],
      ['Errors and throttles', allFunctions.map((fn) => fn.metricErrors(sum)), allFunctions.map((fn) => fn.metricThrottles(sum))],
      [
        'Capacity that the tables used',
        bothTables.map((table) => table.metricConsumedWriteCapacityUnits(sum)),
        bothTables.map((table) => table.metricConsumedReadCapacityUnits(sum)),
      ],
    );
  }
}
