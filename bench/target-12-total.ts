/**
 * Target 12: by how much calls outlive their total timeout: drips, stalls, heads that never end, silence and endless bodies, all at
 * once in one worker.
 */
import type { Benchmark } from './support/benchmark.ts';
import { startLargeBodies } from './support/large-bodies.ts';
import { percentile } from './support/stats.ts';

const LATE_MS = 100;
const FATES = ['drip', 'packed-drip', 'stall', 'half-head', 'head-drip', 'silent', 'endless'] as const;

export const benchmark: Benchmark = {
  id: 12,
  title: 'how long calls outlive their total timeout',
  async run({ quick, say }) {
    const bodies = await startLargeBodies();
    try {
      const each = quick ? 3 : 10;
      const total = quick ? 1_000 : 5_000;
      const paths = FATES.flatMap((fate) => Array.from({ length: each }, (_, n) => `/${fate}/${n}`));
      say(`${paths.length} calls at once with a total of ${total} ms`);
      // Nothing but the total is to end them.
      const limits = { total, headers: '1h', idle: '1h', minRate: 0 } as const;
      const { calls } = await bodies.read(paths, { timeout: limits, maxBody: 1_000_000_000_000 });
      if (calls.length !== paths.length) throw new Error(`${paths.length - calls.length} calls did not end`);
      const early = calls.filter(({ ms, outcome }) => outcome !== 'E_CALL_FAILED' || ms < total - 5);
      if (early.length > 0) throw new Error(`ended by something else than its total: ${JSON.stringify(early[0])}`);
      const late = calls.map(({ ms }) => ms - total);
      return {
        figures: [
          {
            name: `latest end after a total of ${total} ms, of ${calls.length} calls`,
            value: Math.max(...late),
            unit: 'ms',
            target: LATE_MS,
            better: 'lower',
          },
        ],
        notes: [
          ...FATES.map((fate) => {
            const of = calls.filter(({ path }) => path.startsWith(`/${fate}/`)).map(({ ms }) => ms - total);
            return `${fate}: latest ${Math.max(...of).toFixed(0)} ms after its total`;
          }),
          `median ${percentile(late, 50).toFixed(0)} ms`,
        ],
      };
    } finally {
      await bodies.stop();
    }
  },
};
