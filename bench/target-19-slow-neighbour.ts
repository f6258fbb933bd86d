/**
 * Target 19: nine runs of 50 ms in one batch with one of 100 s: how long after the batch was received their messages are deleted,
 * read off the queue. Without deleting each as its run ends it would be after the slow one: the baseline, measured by waiting for it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { runId } from '../src/engine/start.ts';
import { startApi } from './support/api.ts';
import type { Benchmark } from './support/benchmark.ts';
import { startBenchCloud } from './support/cloud.ts';
import { fixed } from './support/stats.ts';

const CALL_S = 5;

export const benchmark: Benchmark = {
  id: 19,
  title: 'quick runs beside a slow one',
  async run({ quick, say }) {
    const api = await startApi();
    const cloud = await startBenchCloud({ apiUrl: api.url, maxEnvironments: 1 });
    try {
      const calls = quick ? 2 : 20;
      const fast = Array.from({ length: 9 }, (_, n) => `fast-${n}`);
      say(`nine runs of 50 ms and one of ${calls * CALL_S} s in one batch`);
      await cloud.send([
        { workflow: 'slow', input: { id: 'slow', calls }, key: 'slow' },
        ...fast.map((id) => ({ workflow: 'reads', input: { id, count: 1, ms: 50, bytes: 200 }, key: id })),
      ]);
      const polling = cloud.poll({ batchSize: 10, maxConcurrency: 1 });
      while (polling.stats().messages < 10) await pause(1);
      if (polling.stats().messages !== 10) throw new Error('the ten messages did not come as one batch');
      const received = performance.now();
      while ((await cloud.queued()).inFlight > 1) await pause(2);
      const deleted = (performance.now() - received) / 1_000;
      for (const id of fast) await cloud.result(runId('default', 'reads', id));
      if (polling.stats().running !== 1) throw new Error('the slow run had ended before the fast ones');
      say(`the nine are deleted after ${fixed(deleted)} s; waiting for the slow one`);
      await polling.idle(10);
      const batch = (performance.now() - received) / 1_000;
      await cloud.result(runId('default', 'slow', 'slow'));
      const { visible, inFlight } = await cloud.queued();
      if (visible + inFlight > 0) throw new Error(`${visible + inFlight} messages are still in the queue`);
      await polling.stop();
      return {
        figures: [
          {
            name: `messages of nine 50 ms runs deleted, beside one of ${calls * CALL_S} s`,
            value: deleted,
            unit: 's',
            target: 1,
            better: 'lower',
          },
        ],
        notes: [`slow neighbour: ${fixed((100 * deleted) / batch, 1)} % of the time of the batch (${fixed(batch, 1)} s)`],
      };
    } finally {
      await cloud.stop();
      api.stop();
    }
  },
};
