/**
 * Metrics in CloudWatch's embedded metric format, gathered over an invocation and printed at its end: one document for each set
 * of dimensions, however much happened. Knows no event and no metric by name.
 */
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';

/** Besides `Stage`, which every metric has. Each distinct set is a metric of its own, and is paid for as one. */
export type Dimensions = Readonly<Record<string, string>>;

export type Emf = {
  /** Added up: a document holds the sum. */
  count(name: string, dimensions?: Dimensions): void;
  /** One of a distribution: a document holds them all, at most 100; more make another document. */
  value(name: string, unit: 'Milliseconds' | 'Count', value: number, dimensions?: Dimensions): void;
  /** Prints what was gathered since the last time, and nothing if that is nothing. */
  flush(): void;
};

type Document = { readonly metrics: Metrics; readonly counts: Map<string, number> };

const NAMESPACE = 'Holdfast';
const NONE: Dimensions = {};

export function emf(stage: string): Emf {
  const documents = new Map<string, Document>();

  function documentOf(dimensions: Dimensions): Document {
    const key = JSON.stringify(dimensions);
    let document = documents.get(key);
    if (!document) {
      const metrics = new Metrics({ namespace: NAMESPACE });
      // Without these two lines a dimension "service" comes to the others, and what is printed is not what the alarms watch.
      metrics.clearDefaultDimensions();
      metrics.setDefaultDimensions({ Stage: stage, ...dimensions });
      document = { metrics, counts: new Map() };
      documents.set(key, document);
    }
    return document;
  }

  return {
    count(name, dimensions = NONE) {
      const { counts } = documentOf(dimensions);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    },
    value(name, unit, value, dimensions = NONE) {
      documentOf(dimensions).metrics.addMetric(name, MetricUnit[unit], value);
    },
    flush() {
      for (const { metrics, counts } of documents.values()) {
        for (const [name, sum] of counts) metrics.addMetric(name, MetricUnit.Count, sum);
        counts.clear();
        if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
      }
    },
  };
}
