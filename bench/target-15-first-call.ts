/**
 * Target 15: how long after a message is sent the first API call of its run arrives, in the embedded cloud while it has nothing else to
 * do. From just before SendMessage is called to the request's arrival at the API: sending, polling, invoking and signing are all in it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { startApi } from './support/api.ts';
import type { Benchmark } from './support/benchmark.ts';
import { startBenchCloud } from './support/cloud.ts';
import { fixed, median, percentile } from './support/stats.ts';

/** Apart enough that each finds everything idle. */
const GAP_MS = 20;

export const benchmark: Benchmark = {
  id: 15,
  title: 'from a message to its first call',
  async run({ quick, say }) {
    const api = await startApi();
    const cloud = await startBenchCloud({ apiUrl: api.url, maxEnvironments: 2 });
    const polling = cloud.poll();
    try {
      const warmUp = 50;
      const count = quick ? 100 : 500;
      const sent = new Map<string, { before: bigint; after: bigint }>();
      for (let index = 0; index < warmUp + count; index++) {
        if (index % 100 === 0) say(`${index} of ${warmUp + count} messages`);
        const id = `m${index}`;
        const before = process.hrtime.bigint();
        await cloud.send([{ workflow: 'first-call', input: { id }, key: id }]);
        sent.set(id, { before, after: process.hrtime.bigint() });
        await polling.idle(index + 1);
        await pause(GAP_MS);
      }
      const noted = await api.noted();
      const ms = (from: bigint, to: bigint) => Number(to - from) / 1e6;
      const took: number[] = [];
      const sending: number[] = [];
      for (const [id, { before, after }] of [...sent].slice(warmUp)) {
        const arrived = noted.get(id);
        if (arrived === undefined) throw new Error(`the call of run ${id} never came`);
        took.push(ms(before, arrived));
        sending.push(ms(before, after));
      }
      return {
        figures: [
          { name: 'message sent → first API call, p50', value: percentile(took, 50), unit: 'ms', target: 10, better: 'lower' },
          { name: 'message sent → first API call, p99', value: percentile(took, 99), unit: 'ms', target: 50, better: 'lower' },
        ],
        notes: [
          `first call: ${fixed(median(took) / median(sending), 1)} × SendMessage alone (${fixed(median(sending), 1)} ms), which is part of it; least ${fixed(Math.min(...took), 1)} ms, most ${fixed(Math.max(...took), 1)} ms of ${took.length}`,
        ],
      };
    } finally {
      await polling.stop();
      await cloud.stop();
      api.stop();
    }
  },
};
