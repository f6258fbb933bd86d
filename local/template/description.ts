/** What the embedded cloud must know of a stack: the parts of the template that it acts on, resolved. */
import type { Properties } from './intrinsics.ts';

export type QueueDescription = { name: string; arn: string; attributes: Record<string, string>; visibilityMs: number };

export type TableDescription = { name: string; input: Properties };

export type FunctionDescription = {
  name: string;
  arn: string;
  logicalId: string;
  /** Absolute: the folder that would be zipped. */
  assetPath: string;
  handler: string;
  memoryMb: number;
  timeoutMs: number;
  environment: Record<string, string>;
};

export type EventSourceDescription = {
  queue: QueueDescription;
  functionName: string;
  batchSize: number;
  windowMs: number;
  maxConcurrency: number | undefined;
  reportBatchItemFailures: boolean;
};

export type RouteDescription = {
  /** As API Gateway writes it: `/v1/runs/{id}`, `/{proxy+}`. */
  path: string;
  /** `ANY` matches all. */
  method: string;
  functionName: string;
};

export type ApiDescription = { id: string; name: string; stage: string; binaryMediaTypes: string[]; routes: RouteDescription[] };

export type ScheduleDescription = { name: string; arn: string; everyMs: number; functionName: string; input: string | undefined };

export type StackDescription = {
  queues: QueueDescription[];
  tables: TableDescription[];
  buckets: string[];
  functions: FunctionDescription[];
  eventSources: EventSourceDescription[];
  apis: ApiDescription[];
  schedules: ScheduleDescription[];
};
