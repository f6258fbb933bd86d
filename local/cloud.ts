/**
 * The embedded cloud: everything that a synthesised stack names, running on this machine. Composes; the parts know nothing of each other.
 * Ports of 0 take free ones.
 */
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { awsClient } from './aws/client.ts';
import { type AwsProcess, startAws } from './aws/process.ts';
import { LocalError } from './errors.ts';
import { type EventSource, startEventSource } from './event-source.ts';
import { startHttpApi } from './http-api.ts';
import type { FunctionError } from './lambda/environment.ts';
import { type Fault, type Logs, openLogs } from './lambda/logs.ts';
import { createPool, type Pool, type PoolStats } from './lambda/pool.ts';
import { provision } from './provision.ts';
import { replaceCode } from './replace-code.ts';
import { type Schedule, startSchedule } from './schedule.ts';
import { resolveSecrets } from './secrets.ts';
import type { EventSourceDescription, FunctionDescription, StackDescription } from './template/description.ts';
import { readStack } from './template/read.ts';

export type CloudOptions = {
  /** The folder with the synthesised template and its assets, or what makes it: it is awaited after the servers have started. */
  assembly: string | Promise<string>;
  /** Default: 3000 for the HTTP API, 4566 for AWS. */
  ports?: { http?: number; aws?: number };
  /** Keeps everything here across restarts; without it all is in memory. */
  data?: string;
  /** Added to every function's environment. */
  variables?: Record<string, string>;
  /** Folder for the functions' output. Default: `logs` in the data folder, else `.holdfast/logs`. */
  logs?: string;
  /** Environments of one function at a time. Default 10. */
  maxEnvironments?: number;
  /** The function that gets an inspector, by its name, and the port of it. */
  inspect?: { functionName: string; port: number };
  /** A function failed or crashed; its output is in the log. */
  onFault?: (fault: Fault) => void;
  /** What functions print. */
  onOutput?: (functionName: string, text: string) => void;
  /** Something of the cloud itself broke. */
  onError?: (error: Error) => void;
};

export type Cloud = {
  readonly awsUrl: string;
  /** Absent when the template has no REST API. */
  readonly apiUrl: string | undefined;
  readonly awsPid: number;
  readonly logs: string;
  readonly stack: StackDescription;
  queueUrl(name: string): string;
  /** Invokes a function by its name or logical id with a JSON event; gives its JSON result. */
  invoke(functionName: string, event: unknown): Promise<unknown>;
  /**
   * Goes on with the functions of another assembly of the same stack: tables, queues and messages stay, what is being worked on ends in
   * the old code. Throws a `LocalError` when they cannot start, or when more than code and settings differ; nothing has changed then.
   */
  reload(assembly: string): Promise<void>;
  stats(): { functions: Record<string, PoolStats>; queues: Record<string, ReturnType<EventSource['stats']>> };
  /** `graceMs`: how long running invocations may go on. Default 0. */
  stop(options?: { graceMs?: number }): Promise<void>;
};

const MAX_ENVIRONMENTS = 10;

/** Throws a `LocalError` that says what to do: a taken port, a template it does not understand, a function that cannot start. */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const data = options.data === undefined ? undefined : resolve(options.data);
  const logs = openLogs(resolve(options.logs ?? (data === undefined ? '.holdfast/logs' : `${data}/logs`)));
  if (options.onFault) logs.onFault(options.onFault);
  if (options.onOutput) logs.onOutput(options.onOutput);
  // Loaded while the server starts; both may fail, and the first failure is the one to tell.
  const assembly = Promise.resolve(options.assembly);
  assembly.catch(() => undefined);
  const stops: Array<(graceMs: number) => Promise<unknown>> = [() => logs.close()];
  const stop = async (graceMs = 0) => {
    for (const end of stops.splice(0).reverse()) await end(graceMs);
  };
  try {
    const aws = await startAws({ port: options.ports?.aws ?? 4566, ...(data === undefined ? {} : { data: `${data}/aws` }) });
    stops.push(() => aws.stop());
    const onError = options.onError ?? (() => undefined);
    aws.onLost(onError);
    const cloud = await compose({ ...options, onError }, { aws, logs, dir: await assembly, stops });
    return { ...cloud, stop: ({ graceMs = 0 } = {}) => stop(graceMs) };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Parts = { aws: AwsProcess; logs: Logs; dir: string; stops: Array<(graceMs: number) => Promise<unknown>> };

async function compose(options: CloudOptions & { onError: (error: Error) => void }, parts: Parts): Promise<Omit<Cloud, 'stop'>> {
  const { aws, logs, dir, stops } = parts;
  const stack = readStack(dir, { awsUrl: aws.url });
  let running = stack;
  const client = awsClient(aws.url);
  stops.push(() => client.close());
  await provision(client, stack);

  const maxEnvironments = options.maxEnvironments ?? MAX_ENVIRONMENTS;
  const inspectorOf = (fn: FunctionDescription) => (options.inspect?.functionName === fn.name ? options.inspect.port : undefined);
  const variablesFor = (fn: FunctionDescription): Record<string, string> => {
    const secrets = resolveSecrets(fn.environment.HOLDFAST_SECRETS);
    return {
      AWS_ENDPOINT_URL: aws.url,
      ...(secrets === undefined ? {} : { HOLDFAST_SECRETS: secrets }),
      // What is invoked at once is bounded here by environments, whatever the queues may ask for.
      ...('HOLDFAST_INSTANCES' in fn.environment
        ? { HOLDFAST_INSTANCES: String(inspectorOf(fn) === undefined ? maxEnvironments : 1) }
        : {}),
      ...options.variables,
    };
  };
  const pools = new Map<string, Pool>();
  for (const fn of stack.functions) {
    const inspect = inspectorOf(fn);
    pools.set(fn.name, createPool({ function: fn, variables: variablesFor(fn), log: logs.of(fn.name), maxEnvironments, inspect }));
  }
  const poolOf = (name: string): Pool => pools.get(name) as Pool;

  const sources: EventSource[] = [];
  const schedules: Schedule[] = [];
  stops.push(async (graceMs) => {
    for (const schedule of schedules) schedule.stop();
    // Together: a source that waits for an environment is released by its pool's end.
    await Promise.all([...sources.map((source) => source.stop()), ...[...pools.values()].map((pool) => pool.stop({ graceMs }))]);
  });

  const [api, second] = stack.apis;
  if (second) throw new LocalError('E_TEMPLATE', `${second.name} is a second REST API: the embedded cloud serves one`);
  const http = api && (await startHttpApi({ port: options.ports?.http ?? 3000, api, pools }));
  if (http) stops.push(() => http.stop());

  const used = [
    ...stack.eventSources.map(({ functionName }) => functionName),
    ...stack.apis.flatMap(({ routes }) => routes.map(({ functionName }) => functionName)),
    ...stack.schedules.map(({ functionName }) => functionName),
  ];
  // All are tried at the start, so that a bundle that cannot load is an error now and not at the first message.
  await Promise.all([...new Set(used)].map((name) => poolOf(name).warm().catch(startFailure(name, logs.dir))));

  const feed = (source: EventSourceDescription) =>
    startEventSource({ source, aws: client, pool: poolOf(source.functionName), onError: options.onError });
  sources.push(...stack.eventSources.map(feed));
  aws.onVisible((queues) => {
    for (const source of sources) if (queues.includes(source.queue)) source.wake();
  });
  for (const schedule of stack.schedules) schedules.push(startSchedule(schedule, poolOf(schedule.functionName)));

  return {
    awsUrl: aws.url,
    apiUrl: http?.url,
    awsPid: aws.pid,
    logs: logs.dir,
    stack,
    queueUrl: (name) => client.queueUrl(name),
    async invoke(functionName, event) {
      const fn = stack.functions.find(({ name, logicalId }) => name === functionName || logicalId === functionName);
      if (!fn) throw new LocalError('E_TEMPLATE', `no function ${functionName}: there are ${[...pools.keys()].join(', ')}`);
      return JSON.parse(await poolOf(fn.name).invoke(JSON.stringify(event))) as unknown;
    },
    async reload(assembly) {
      const next = readStack(assembly, { awsUrl: aws.url });
      await replaceCode({ pools, from: running, to: next, variablesFor });
      await provision(client, next);
      for (const [index, source] of next.eventSources.entries()) {
        if (isDeepStrictEqual(source, running.eventSources[index])) continue;
        await sources[index]?.stop();
        sources[index] = feed(source);
      }
      running = next;
    },
    stats: () => ({
      functions: Object.fromEntries([...pools].map(([name, pool]) => [name, pool.stats()])),
      queues: Object.fromEntries(sources.map((source) => [source.queue, source.stats()])),
    }),
  };
}

function startFailure(name: string, logs: string): (error: FunctionError) => never {
  return (error) => {
    const stack = error.remoteStack?.map((line) => `\n${line}`).join('') ?? '';
    throw new LocalError(
      'E_FUNCTION_START',
      `function ${name} cannot start: ${error.errorType}: ${error.message}${stack}\nIts output is in ${logs}`,
      {
        cause: error,
      },
    );
  };
}
