/**
 * Target 2: queue messages that each become a run of three concurrent GETs of 50 ms, every call journaled and every run persisted,
 * 200 runs in flight; jobs per second over those of a bare undici loop, 200 jobs in flight, that persists nothing.
 * The worker is the deployed bundle in processes of its own, four of them with batches of 50, fed by the embedded cloud's poller;
 * the emulators are one process, the API is another, as is the bare loop. Rounds take turns on the same machine.
 */
import { runId } from '../src/engine/start.ts';
import { type Api, startApi } from './support/api.ts';
import { type Bare, startBare } from './support/bare.ts';
import type { Benchmark } from './support/benchmark.ts';
import { type BenchCloud, startBenchCloud } from './support/cloud.ts';
import { cpuMs, machineMs, since } from './support/cpu.ts';
import { fixed, median, spread } from './support/stats.ts';

const WIDTH = 3;
const CALL_MS = 50;
const BYTES = 200;
/** 200 in flight: fewer and larger batches leave processes waiting for their slowest call, more processes leave less of a core for each. */
const ENVIRONMENTS = 4;
const BATCH = 50;
/** Four processes have that many rounds' functions to compile. */
const WARM_UPS = 3;
/** Above this share, other programs are worth a word. */
const NOTICEABLE = 0.1;
/** Of each round's runs, so many are looked up afterwards. */
const LOOKED_AT = 10;

type Round = {
  perSecond: number;
  cpu: Record<'worker' | 'emulators' | 'poller' | 'api', number>;
  /** Share of the machine that was neither idle nor ours. */
  others: number;
};

export const benchmark: Benchmark = {
  id: 2,
  title: 'throughput',
  async run({ quick, say }) {
    const api = await startApi();
    const bare = startBare();
    const cloud = await startBenchCloud({ apiUrl: api.url, maxEnvironments: ENVIRONMENTS });
    try {
      const jobs = quick ? 600 : 2_000;
      const rounds = quick ? 2 : 7;
      const ours: Round[] = [];
      const theirs: Array<{ perSecond: number; cpu: number }> = [];
      for (let round = -WARM_UPS; round < rounds; round++) {
        const one = await runBare(bare, api, jobs);
        const other = await runOurs(cloud, api, jobs, `r${round}`);
        say(
          `${round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`}: bare ${fixed(one.perSecond, 0)}, ours ${fixed(other.perSecond, 0)} jobs/s` +
            (other.others > NOTICEABLE ? `; other programs used ${fixed(100 * other.others, 0)} % of the machine` : ''),
        );
        if (round < 0) continue;
        theirs.push(one);
        ours.push(other);
      }
      const ratios = ours.map(({ perSecond }, round) => perSecond / (theirs[round]?.perSecond ?? Number.NaN));
      const cpu = (who: keyof Round['cpu']) => fixed(median(ours.map((round) => round.cpu[who])));
      return {
        figures: [
          { name: 'jobs/s over a bare undici loop (final target 0.72)', value: median(ratios), unit: '×', target: 0.4, better: 'higher' },
        ],
        notes: [
          `throughput: ${spread(ratios)} ×; ours ${fixed(median(ours.map(({ perSecond }) => perSecond)), 0)}, bare ${fixed(median(theirs.map(({ perSecond }) => perSecond)), 0)} jobs/s`,
          `CPU ms per job: workers ${cpu('worker')}, emulators ${cpu('emulators')}, poller ${cpu('poller')}, API ${cpu('api')}; bare loop ${fixed(median(theirs.map((round) => round.cpu)))}; other programs used ${fixed(100 * median(ours.map(({ others }) => others)), 0)} % of the machine`,
        ],
      };
    } finally {
      await cloud.stop();
      bare.stop();
      api.stop();
    }
  },
};

async function runBare(bare: Bare, api: Api, jobs: number): Promise<{ perSecond: number; cpu: number }> {
  const { ms, cpuMs: cpu } = await bare.run({
    url: `${api.url}/wait/${CALL_MS}/${BYTES}/`,
    jobs,
    inFlight: ENVIRONMENTS * BATCH,
    width: WIDTH,
  });
  return { perSecond: (jobs / ms) * 1_000, cpu: cpu / jobs };
}

/** The queue is filled first, so that filling it costs the measured time nothing. */
async function runOurs(cloud: BenchCloud, api: Api, jobs: number, name: string): Promise<Round> {
  const ids = Array.from({ length: jobs }, (_, n) => `${name}-${n}`);
  await cloud.send(ids.map((id) => ({ workflow: 'reads', input: { id, count: WIDTH, ms: CALL_MS, bytes: BYTES }, key: id })));
  const before = await used(cloud, api);
  const machine = machineMs();
  const began = performance.now();
  const polling = cloud.poll({ batchSize: BATCH, maxConcurrency: ENVIRONMENTS });
  await polling.idle(jobs);
  const ms = performance.now() - began;
  const { busy, all } = since(machine);
  const after = await used(cloud, api);
  await polling.stop();
  for (let n = 0; n < LOOKED_AT; n++) await cloud.result(runId('default', 'reads', ids[Math.floor((n * jobs) / LOOKED_AT)] as string));
  const { visible, inFlight } = await cloud.queued();
  if (visible + inFlight > 0) throw new Error(`${visible + inFlight} messages are still in the queue`);
  const per = (who: keyof Round['cpu']) => (after[who] - before[who]) / jobs;
  const cpu = { worker: per('worker'), emulators: per('emulators'), poller: per('poller'), api: per('api') };
  const mine = jobs * Object.values(cpu).reduce((sum, one) => sum + one, 0);
  return { perSecond: (jobs / ms) * 1_000, cpu, others: Math.max(0, busy - mine) / all };
}

async function used(cloud: BenchCloud, api: Api): Promise<Round['cpu']> {
  const { emulators, functions } = await cloud.cpuMs();
  return {
    worker: functions ?? Number.NaN,
    emulators: emulators ?? Number.NaN,
    poller: cpuMs({ user: 0, system: 0 }),
    api: await api.cpuMs(),
  };
}
