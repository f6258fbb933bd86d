/** The whole product on this machine, then the demo on it. Owns the order of things and what is printed. */
import { join, resolve } from 'node:path';
import { synthesise } from '../infra/synthesise.ts';
import { assemblyFolder } from './assembly.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { runDemo } from './demo/run.ts';
import { type DemoApi, startDemoApi } from './demo/server.ts';
import { LocalError } from './errors.ts';
import type { Fault } from './lambda/logs.ts';
import type { StartOptions } from './options.ts';
import { reloadOnChange } from './reload.ts';
import { ROOT } from './secrets.ts';

/** The token whose hash the local stage is configured with. */
const TOKEN = 'local-dev';
const START_QUEUE = 'holdfast-local-start';
const WORKER = 'holdfast-local-worker';
/** Lambda's own limit. */
const LONGEST_TIMEOUT_S = 900;
/** What is under way may finish, when it would otherwise be done again by the next start. */
const GRACE_MS = 3_000;

const say = (text: string) => void process.stdout.write(`${text}\n`);

/** Runs that wait for nothing else must not be reported twice a second: each kind of fault once, then by count. */
function faultPrinter(): (fault: Fault) => void {
  const seen = new Map<string, number>();
  return (fault) => {
    const kind = `${fault.function} ${fault.errorType}`;
    const count = (seen.get(kind) ?? 0) + 1;
    seen.set(kind, count);
    if (count === 1) process.stderr.write(`\n${fault.function}: ${fault.errorType}: ${fault.message.split('\n')[0]}\n`);
    else if (count % 100 === 0) process.stderr.write(`\n${fault.function}: ${fault.errorType}: ${count} times\n`);
  };
}

export async function up(options: StartOptions): Promise<void> {
  const began = performance.now();
  const stops: Array<() => Promise<unknown>> = [];
  let stopping = false;
  const stop = async () => {
    stopping = true;
    for (const end of stops.splice(0).reverse()) await end();
  };
  const leave = (code: number) => void stop().finally(() => process.exit(code));
  // From then on Ctrl-C is the ordinary end.
  let settled = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(130);
      say('\nstopping');
      leave(settled ? 0 : 130);
    });
  }

  try {
    const data = options.data === undefined ? undefined : resolve(options.data);
    let demo: DemoApi | undefined;
    if (options.demo) {
      demo = await startDemoApi({ port: options.demoPort, ...(data === undefined ? {} : { data: join(data, 'demo') }) });
      stops.push(demo.stop);
    }
    say('reading the infrastructure');
    const { folder, remove } = assemblyFolder(join(ROOT, '.holdfast'));
    stops.push(async () => remove());
    const make = (dir: string) => synthesiseLocal(dir, { ...options, demoPort: demo?.port ?? options.demoPort });
    const cloud = await startCloud({
      assembly: make(folder),
      ports: { http: options.port, aws: options.awsPort },
      ...(data === undefined ? {} : { data }),
      ...(options.inspect === undefined ? {} : { inspect: { functionName: WORKER, port: options.inspect } }),
      onFault: faultPrinter(),
      onError(error) {
        process.stderr.write(`\n${error.message}\n`);
        leave(1);
      },
    });
    stops.push(() => cloud.stop({ graceMs: data === undefined ? 0 : GRACE_MS }));
    if (options.reload) stops.push(reloadOnChange({ root: ROOT, cloud, folder, synthesise: make, say }).stop);
    introduce(cloud, demo, options, performance.now() - began);
    if (!demo) {
      settled = true;
      return;
    }
    const { ok } = await runDemo({
      awsUrl: cloud.awsUrl,
      apiUrl: cloud.apiUrl as string,
      token: TOKEN,
      startQueueUrl: cloud.queueUrl(START_QUEUE),
      demoUrl: demo.url,
      once: options.once,
      out: process.stdout,
    });
    settled = true;
    if (options.once) leave(ok ? 0 : 1);
  } catch (error) {
    if (await stopping) return;
    await stop();
    throw error;
  }
}

/** The folder of the assembly. Whoever debugs gets source maps, and the longest invocations there are: leases last as long. */
async function synthesiseLocal(dir: string, { inspect, demoPort }: Pick<StartOptions, 'inspect' | 'demoPort'>): Promise<string> {
  const debugging = inspect === undefined ? {} : { HOLDFAST_SOURCEMAP: '1', HOLDFAST_WORKER_TIMEOUT: String(LONGEST_TIMEOUT_S) };
  try {
    return (await synthesise('local', dir, { HOLDFAST_DEMO_PORT: String(demoPort), ...debugging })).dir;
  } catch (error) {
    throw new LocalError('E_SYNTH', (error as Error).message, { cause: error });
  }
}

function introduce(cloud: Cloud, demo: DemoApi | undefined, { reload, inspect }: StartOptions, ms: number): void {
  say(`up after ${(ms / 1000).toFixed(1)} s`);
  say(`  AWS API    ${cloud.awsUrl}   AWS_ENDPOINT_URL; SQS, DynamoDB, S3; queue ${START_QUEUE}`);
  say(`  HTTP API   ${cloud.apiUrl}   token ${TOKEN}`);
  if (demo) say(`  demo API   ${demo.url}`);
  if (inspect !== undefined)
    say(`  inspector  127.0.0.1:${inspect}   chrome://inspect, or "attach" of an editor; reload and attach again after a change`);
  if (reload) say('  reloads when workflows/, connections/, functions/, src/ or holdfast.config.ts change');
  say(`  output of the functions in ${cloud.logs}\n`);
}
