/**
 * A fleet in virtual time: instances with clocks of their own that come and go, a table behind a network that throttles, and an API that
 * counts what arrives. What decides is the production code of src/admission; only time, chance and the wires are simulated.
 */

import { createAdmission } from '../../../src/admission/admission.ts';
import { lateParts } from '../../../src/admission/late.ts';
import { memoryAdmissionStore } from '../../../src/admission/memory-store.ts';
import type { Admission, AdmissionStore, Ask, Limit, Outcome } from '../../../src/engine/admission-ports.ts';
import type { Json } from '../../../src/engine/json.ts';
import type { Clock, Entropy } from '../../../src/engine/ports.ts';
import { seededEntropy, virtualClock } from '../../../src/testing/index.ts';

export type Reply = 'good' | 'bad' | { retryAfter: number };

export type Plan = {
  seed: number;
  limits: readonly Limit[];
  concurrency?: number;
  /** Instances at `ms` after the beginning. */
  instances: (ms: number) => number;
  /** Calls that an instance makes at once; the next ones follow when all of them have ended. 0: only those of `load`. */
  batch: number;
  /** Calls that come by themselves, whatever became of those before: so many a second at `ms`, of that tenant. */
  load?: readonly { perSecond: (ms: number) => number; tenant: string }[];
  /** Such batches side by side in an instance. Default 1. */
  lanes?: number;
  /** How long it goes on, ms. */
  lasts: number;
  /** Clocks are wrong by up to so many ms. Default 50. */
  skew?: number;
  /** What the API answers to what arrives at `ms`, and after how long. */
  api?: (ms: number, call: number) => Reply;
  latency?: () => number;
  /** Called with each answer. */
  onReply?: () => void;
  /** The share of requests to the table that it throttles. Default 0.01. */
  throttled?: number;
  /** Whose call it is. Default: all `default`. */
  tenant?: (instance: number) => string;
  onError?: 'wait' | 'local';
  /** Where the records are. Default: an empty store. */
  inner?: AdmissionStore;
  /** The table cannot be reached at `ms`. */
  unreachable?: (ms: number) => boolean;
  /** What an instance asks in place of the production code. */
  admission?: (ports: { store: AdmissionStore; clock: Clock; entropy: Entropy }) => Admission;
  /** A call is given up when so many attempts have failed. Default: never. */
  attempts?: number;
  /** How likely the process that has sent a call dies before it hears of it; another takes its place. */
  deadly?: (ms: number, isProbe: boolean) => number;
};

/** `ms`, `issued`: after the beginning. */
export type Arrival = { ms: number; issued: number; instance: number; call: number; tenant: string; attempt: number; isProbe: boolean };

export type Report = {
  arrivals: Arrival[];
  /** Updates of the table, refused ones and reads. */
  writes: number;
  refused: number;
  reads: number;
  /** Calls that ended well, and when they were issued; ms after the beginning. */
  done: { issued: number; ended: number; tenant: string; attempts: number; parked: number }[];
  /** When an instance was told to wait, and until when; ms after the beginning. */
  told: { ms: number; until: number }[];
  /** Parked and woken, in all. */
  parks: number;
  deaths: number;
  store: AdmissionStore;
  clock: Clock;
};

const KEY = { connection: 'crm' };
const WAKE_LAG_MS = 1_100;

export async function simulate(plan: Plan): Promise<Report> {
  // Virtual time does not wait for files.
  await lateParts();
  const clock = virtualClock(1_800_000_000_000);
  const { random } = seededEntropy(plan.seed);
  const began = clock.now();
  const since = () => clock.now() - began;
  const between = (low: number, high: number) => low + random() * (high - low);
  const latency = plan.latency ?? (() => between(20, 60));
  const inner = plan.inner ?? memoryAdmissionStore();
  const report: Report = {
    arrivals: [],
    writes: 0,
    refused: 0,
    reads: 0,
    done: [],
    told: [],
    parks: 0,
    deaths: 0,
    store: inner,
    clock,
  };
  const issue = new Map<number, (tenant: string) => void>();
  let calls = 0;
  let pending = 0;

  const sleep = (ms: number): Promise<void> => new Promise((over) => clock.timer(ms, over));
  const table: AdmissionStore = {
    read: (key) => wire(() => inner.read(key).finally(() => report.reads++)),
    change: (key, change) =>
      wire(async () => {
        const result = await inner.change(key, change);
        report.writes += 1;
        if (!result.ok) report.refused += 1;
        return result;
      }),
    take: (key, lease, now, from) => wire(() => inner.take(key, lease, now, from)),
    give: (key, place, owner) => wire(() => inner.give(key, place, owner)),
    places: (key) => wire(() => inner.places(key)),
    list: inner.list,
  };

  async function wire<T>(request: () => Promise<T>): Promise<T> {
    await sleep(between(1, 6));
    if (plan.unreachable?.(since())) {
      await sleep(100);
      throw new Error('the table cannot be reached');
    }
    // The SDK tries again by itself.
    if (random() < (plan.throttled ?? 0.01)) await sleep(between(50, 200));
    const result = await request();
    await sleep(between(1, 6));
    return result;
  }

  async function come(perSecond: (ms: number) => number, tenant: string): Promise<void> {
    let due = 0;
    while (since() < plan.lasts) {
      await sleep(20);
      due += perSecond(since()) / 50;
      for (; due >= 1; due--) [...issue.values()][Math.floor(random() * issue.size)]?.(tenant);
    }
  }

  function instance(index: number): { stop(): void } {
    const skew = between(-(plan.skew ?? 50), plan.skew ?? 50);
    const own: Clock = { now: () => Math.round(clock.now() + skew), timer: (ms, fn) => clock.timer(ms, fn) };
    const start = () => {
      const entropy = seededEntropy(Math.floor(random() * 2 ** 32));
      return (plan.admission ?? createAdmission)({ store: table, clock: own, entropy, instances: 10 });
    };
    let admission = start();
    const restart = () => {
      admission = start();
    };
    let stopped = false;
    const tenant = plan.tenant?.(index) ?? 'default';
    issue.set(index, (whose) => void one(() => admission, restart, own, index, whose));
    const lane = async () => {
      while (!stopped && since() < plan.lasts) {
        await Promise.all(Array.from({ length: plan.batch }, () => one(() => admission, restart, own, index, tenant)));
        await sleep(1);
      }
    };
    if (plan.batch > 0) for (let n = 0; n < (plan.lanes ?? 1); n++) void lane();
    return {
      stop() {
        stopped = true;
        issue.delete(index);
      },
    };
  }

  async function one(admission: () => Admission, die: () => void, own: Clock, index: number, tenant: string): Promise<void> {
    calls += 1;
    pending += 1;
    const call = calls;
    const issued = since();
    const issuedAt = own.now();
    let place: Json | undefined;
    let parked = 0;
    for (let attempt = 1; ; ) {
      if (since() >= plan.lasts) break;
      const ask: Ask = {
        key: KEY,
        limits: plan.limits,
        concurrency: plan.concurrency ?? 0,
        onError: plan.onError ?? 'wait',
        tenant,
        effect: 'safe',
        weight: 1,
        retry: attempt > 1,
        timeout: 3_000,
        patience: 2_000,
        until: issuedAt + 86_400_000,
        place,
        signal: new AbortController().signal,
      };
      const answer = await admission().ask(ask);
      if (answer.type === 'never') throw new Error(`never: ${answer.why}`);
      if (answer.type === 'later') {
        place = answer.place;
        const wait = answer.at - own.now();
        if (wait > 2_000) {
          parked += 1;
          report.parks += 1;
          await sleep(wait + random() * WAKE_LAG_MS);
        } else await sleep(Math.max(0, wait));
        continue;
      }
      const refusal = await answer.permit.confirm();
      if (refusal) {
        place = refusal.place;
        await sleep(Math.max(0, refusal.at - own.now()));
        continue;
      }
      place = undefined;
      const { isProbe } = answer.permit;
      await sleep(between(2, 12));
      report.arrivals.push({ ms: since(), issued, instance: index, call, tenant, attempt, isProbe });
      if (random() < (plan.deadly?.(since(), isProbe) ?? 0)) {
        die();
        report.deaths += 1;
        // Its message comes again.
        await sleep(between(1_000, 30_000));
        continue;
      }
      const reply = plan.api?.(since(), call) ?? 'good';
      await sleep(latency());
      plan.onReply?.();
      const outcome: Outcome = typeof reply === 'string' ? { type: reply } : { type: 'throttled', until: own.now() + reply.retryAfter };
      answer.permit.report(outcome);
      if (reply === 'good') {
        report.done.push({ issued, ended: since(), tenant, attempts: attempt, parked });
        break;
      }
      if (reply === 'bad') {
        if (isProbe) place = answer.permit.place;
        else attempt += 1;
        if (attempt > (plan.attempts ?? Number.POSITIVE_INFINITY)) break;
        await sleep(between(0, 100 * 2 ** attempt));
      } else {
        report.told.push({ ms: since(), until: since() + reply.retryAfter });
        await sleep(reply.retryAfter + between(0, 1_000 + reply.retryAfter / 10));
      }
    }
    pending -= 1;
  }

  const running: { stop(): void }[] = [];
  const adjust = () => {
    const wanted = plan.instances(since());
    while (running.length < wanted) running.push(instance(running.length));
    while (running.length > wanted) running.pop()?.stop();
  };
  adjust();
  for (let ms = 100; ms < plan.lasts; ms += 100) clock.timer(ms, adjust);
  for (const { perSecond, tenant } of plan.load ?? []) void come(perSecond, tenant);
  await turns();
  while (clock.now() - began < plan.lasts && clock.runNext()) await turns();
  // What is still under way comes to nothing.
  while (pending > 0 && clock.runNext()) await turns();
  return report;
}

/** What promises have to do before time goes on. */
async function turns(): Promise<void> {
  for (let n = 0; n < 24; n++) await undefined;
}

/** The most that arrived within any `span` ms. */
export function peak(arrivals: readonly { ms: number }[], span = 1_000): number {
  const times = arrivals.map(({ ms }) => ms).sort((a, b) => a - b);
  let most = 0;
  for (let first = 0, last = 0; last < times.length; last++) {
    while ((times[last] as number) - (times[first] as number) >= span) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
