/**
 * `npm run show:gate`: one answer stops the whole fleet. The embedded cloud, its workers in processes of their own, drives an API of this
 * machine at the limit of its connection; the API answers one 429. Prints what the HTTP API says of the connection and what arrives, and
 * ends with 1 if anything arrived while the gate was up, or if the full rate did not come back.
 */
import { startTestCloud, type TestCloud } from '../support/cloud/cloud.ts';
import { allSucceed, connectionOf, startLoad } from '../support/cloud/load.ts';
import { between, mostWithin, processes, type RecordingApi, startRecordingApi } from '../support/cloud/recording-api.ts';

/** Of the connection, limited.ts. */
const PER_SECOND = 50;
const RETRY_AFTER_S = 5;
const LOAD = { to: 'gated', name: 'show', runs: 16, calls: 20, width: 10 };
const EVERY_MS = 500;
/** By then all have looked again. */
const NOTICED_MS = 250;
const PATIENCE_MS = 60_000;

const say = (text: string) => void process.stdout.write(`${text}\n`);

const api = await startRecordingApi();
let cloud: TestCloud | undefined;
try {
  cloud = await startTestCloud({ apiUrl: api.url, batch: 3, environments: 6 });
  const complaints = await show(cloud, api);
  for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
  process.exitCode = complaints.length === 0 ? 0 : 1;
} catch (error) {
  process.stderr.write(`${(error as Error).stack ?? error}\n`);
  process.exitCode = 1;
} finally {
  await cloud?.stop();
  await api.stop();
}

async function show(cloud: TestCloud, api: RecordingApi): Promise<string[]> {
  say(`${LOAD.runs * LOAD.calls} calls of ${LOAD.runs} runs to an API that allows ${PER_SECOND} a second\n`);
  say('  time  state        gate   waiting  came');
  let ended = false;
  const ids = await startLoad(cloud, LOAD);
  const all = allSucceed(cloud, ids, LOAD.calls, PATIENCE_MS).finally(() => {
    ended = true;
  });
  const arrivals = () => api.arrivals('/gated/');
  await cloud.until(
    async () => arrivals().length,
    (count) => count > 0,
    PATIENCE_MS,
  );
  const began = Date.now();
  const states: string[] = [];
  let known: Promise<number> | undefined;
  for (let n = 1; !ended; n++) {
    const at = began + n * EVERY_MS;
    await new Promise((due) => setTimeout(due, Math.max(0, at - Date.now())));
    const { state, gate, rate } = await connectionOf(cloud, 'gated');
    const came = between(arrivals(), at - EVERY_MS - 1, at).length;
    const up = gate === undefined ? '' : `${((Date.parse(gate.until) - at) / 1_000).toFixed(1)} s`;
    say(
      `${((n * EVERY_MS) / 1_000).toFixed(1).padStart(4)} s  ${state.padEnd(11)} ${up.padStart(5)}  ${String(rate[0]?.waiting ?? 0).padStart(7)}  ${String(came).padStart(4)}  ${'▇'.repeat(came / 2)}`,
    );
    if (state !== states.at(-1)) states.push(state);
    if (n !== 4) continue;
    api.tell('/gated/', { status: 429, headers: { 'retry-after': String(RETRY_AFTER_S) }, times: 1 });
    say(`        the API answers one request: 429, Retry-After: ${RETRY_AFTER_S}`);
    known = cloud
      .until(
        () => connectionOf(cloud, 'gated'),
        ({ gate }) => gate !== undefined,
        PATIENCE_MS,
      )
      .then(() => Date.now());
  }
  await all;
  return judge(api, states, (await known) ?? began);
}

/** `known`: when the record said that the gate is up. A machine with other work takes a while to read the answer. */
function judge(api: RecordingApi, states: readonly string[], known: number): string[] {
  const arrivals = api.arrivals('/gated/');
  const answered = arrivals.find(({ status }) => status === 429)?.over;
  if (answered === undefined) return ['no request was answered 429'];
  const until = answered + RETRY_AFTER_S * 1_000;
  const inside = between(arrivals, Math.max(answered, known) + NOTICED_MS, until).length;
  const after = mostWithin(between(arrivals, until, Number.POSITIVE_INFINITY), 1_000);
  const most = mostWithin(arrivals, 1_000);
  say(
    `\n${processes(arrivals).size} processes of workers sent them; the fleet knew ${Math.max(0, Math.round(known - answered))} ms after the answer; ${inside} came while the gate was up; at most ${most} came in a second`,
  );
  return [
    ...(inside === 0 ? [] : [`${inside} requests came while the gate was up`]),
    ...(processes(arrivals).size > 1 ? [] : ['only one process sent']),
    ...(states.join() === 'open,gated,slow-start,open'
      ? []
      : [`the connection was not open, gated, slow-start, open, but ${states.join(', ')}`]),
    ...(after >= 0.9 * PER_SECOND ? [] : [`only ${after} came in the best second after the gate, of ${PER_SECOND}`]),
    // A machine that stops for a moment sends together what was to go meanwhile: a quarter of a second is forgiven.
    ...(most <= 1.25 * PER_SECOND ? [] : [`${most} came in one second, of ${PER_SECOND}`]),
  ];
}
