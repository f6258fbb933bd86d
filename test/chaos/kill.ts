/**
 * `npm run chaos:kill -- --runs 100 --seed N`: kills the whole process group of `npm start -- --no-demo --data DIR` with SIGKILL
 * while runs are in flight, starts it again, until all have ended; then counts what the demo API, which is not killed, has seen.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { seededEntropy } from 'holdfast/testing';
import { type ApiRun, demoCounts, httpApi } from '../../local/demo/http-api.ts';
import { readMessages } from '../../local/demo/messages.ts';
import { sendAll } from '../../local/demo/queue.ts';
import { startDemoApi } from '../../local/demo/server.ts';

const HELP = `npm run chaos:kill -- [options]
  --runs N        runs of onboard-customer, 1 to 236 (default 100)
  --seed N        when the kills come, and what the demo API does (default: random, printed)
  --kills N       how often the process group is killed (default 5)
  --in-flight N   a kill waits until this many runs are in flight (default 20)
`;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    kills: { type: 'string', default: '5' },
    'in-flight': { type: 'string', default: '20' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const runs = Number(values.runs);
const kills = Number(values.kills);
const inFlight = Math.min(Number(values['in-flight']), runs);
const chance = seededEntropy(Number(values.seed));
const TOKEN = 'local-dev';
const ENDED = new Set(['succeeded', 'failed', 'cancelled']);
const PATIENCE_MS = 15 * 60_000;

const say = (text: string) => process.stdout.write(`${text}\n`);
const data = await mkdtemp(join(tmpdir(), 'holdfast-chaos-'));
const [port, awsPort] = [await freePort(), await freePort()];
const demo = await startDemoApi({ port: 0, seed: `chaos-${values.seed}` });
const api = httpApi(`http://127.0.0.1:${port}`, TOKEN);
const counts = demoCounts(demo.url);
const messages = readMessages()
  .filter(({ expect }) => expect === 'created')
  .filter((message, index, all) => all.findIndex(({ run }) => run === message.run) === index)
  .slice(0, runs);
const mine = new Set(messages.map(({ run }) => run));
let group: ChildProcess | undefined;

process.on('SIGINT', () => {
  kill();
  process.exit(130);
});

try {
  say(`seed ${values.seed}, ${messages.length} runs, ${kills} kills`);
  await up();
  await sendAll(
    { awsUrl: `http://127.0.0.1:${awsPort}`, queueUrl: `http://127.0.0.1:${awsPort}/000000000000/holdfast-local-start` },
    messages.map(({ text }) => text),
    () => {},
  );
  let killed = 0;
  const began = Date.now();
  for (;;) {
    const now = await seen();
    say(`${now.ended.length} ended, ${now.open.length} in flight, ${killed} kills, ${Math.round((Date.now() - began) / 1_000)} s`);
    if (now.ended.length === messages.length) break;
    if (Date.now() - began > PATIENCE_MS)
      throw new Error(`not ended after ${PATIENCE_MS / 60_000} minutes: ${now.open.map(({ id, status }) => `${id} ${status}`).join(', ')}`);
    if (killed < kills && now.open.length >= inFlight) {
      await wait(chance.random() * 1_000);
      kill();
      killed += 1;
      say(`killed with ${now.open.length} runs in flight`);
      await up();
    } else await wait(500);
  }
  if (killed < kills) say(`only ${killed} kills: fewer than ${inFlight} runs were in flight after that`);
  process.exitCode = killed > 0 && (await judge()) ? 0 : 1;
} catch (error) {
  say(String((error as Error).stack ?? error));
  process.exitCode = 1;
} finally {
  kill();
  await demo.stop();
  await rm(data, { recursive: true, force: true });
}

async function up(): Promise<void> {
  let output = '';
  const child = spawn(
    process.execPath,
    ['local/start.ts', '--no-demo', '--data', data, '--port', String(port), '--aws-port', String(awsPort)],
    {
      detached: true,
      env: { ...process.env, HOLDFAST_DEMO_PORT: String(demo.port), HOLDFAST_WORKER_TIMEOUT: '15' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  group = child;
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk));
  for (let tries = 0; tries < 600; tries++) {
    if (child.exitCode !== null) break;
    const healthy = await fetch(`http://127.0.0.1:${port}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (healthy) return;
    await wait(100);
  }
  throw new Error(`the cloud did not come up:\n${output}`);
}

/** The group: the cloud, its AWS process and the workers, none of which may say goodbye. */
function kill(): void {
  if (group?.pid === undefined) return;
  try {
    process.kill(-group.pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
  group = undefined;
}

async function seen(): Promise<{ ended: ApiRun[]; open: ApiRun[] }> {
  const all = (await api.runs('onboard-customer')).filter(({ id }) => mine.has(id));
  return { ended: all.filter(({ status }) => ENDED.has(status)), open: all.filter(({ status }) => !ENDED.has(status)) };
}

async function judge(): Promise<boolean> {
  const { ended } = await seen();
  const failed = ended.filter(({ status }) => status !== 'succeeded');
  const effects = await counts.effects();
  let missing = 0;
  let repeated = 0;
  for (const effect of ['account', 'note', 'welcome-email']) {
    for (const { customer } of messages) {
      const times = effects.find((count) => count.effect === effect && count.customer === customer)?.count ?? 0;
      if (times === 0) missing += 1;
      if (times > 1) repeated += 1;
    }
  }
  let unknowns = 0;
  let unfounded = 0;
  for (const { id } of ended) {
    const started = new Set<string>();
    for (const { type, call = '' } of await api.journal(id)) {
      if (type === 'start') started.add(call);
      if (type !== 'unknown') continue;
      unknowns += 1;
      if (!started.has(call)) unfounded += 1;
    }
  }
  say(`runs that did not succeed    ${failed.length}`);
  for (const { id } of failed.slice(0, 20)) {
    const run = await api.run(id);
    say(`  ${id} ${run.status} ${run.error?.code}: ${run.error?.message}`);
  }
  say(`effects missing              ${missing}`);
  say(`effects repeated             ${repeated}`);
  say(`unknowns, all settled        ${unknowns}`);
  say(`unknowns without a START     ${unfounded}`);
  return failed.length + missing + repeated + unfounded === 0;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port: free } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return free;
}
