/** The metrics that the functions write into their logs, as alarms and the dashboard name them. docs/observability.md says what each means. */
import { MathExpression, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { Duration } from 'aws-cdk-lib/core';

const NAMESPACE = 'Holdfast';
export const PERIOD = Duration.minutes(5);

/** One of those with the stage as their only dimension. */
export function ofStage(stage: string, metricName: string, statistic = 'Sum'): Metric {
  return new Metric({ namespace: NAMESPACE, metricName, dimensionsMap: { Stage: stage }, statistic, period: PERIOD });
}

/** All of a name, whatever workflows and connections there are by then: one line for each. */
export function each(stage: string, metricName: string, dimensions: readonly string[], statistic = 'Sum'): MathExpression {
  const search = `{${[NAMESPACE, 'Stage', ...dimensions].join(',')}} MetricName="${metricName}" Stage="${stage}"`;
  return new MathExpression({
    expression: `SEARCH('${search}', '${statistic}', ${PERIOD.toSeconds()})`,
    label: `\${PROP('Dim.${dimensions.at(-1)}')}`,
    usingMetrics: {},
    period: PERIOD,
  });
}
