/**
 * Target 11: the most memory of a worker that receives 100 large bodies at once: endless ones, 64 MB, and endless ones compressed,
 * read by their content type and as files. Pieces go to S3 over the worker's own client; each mixture in a process of its own.
 */
import type { Benchmark, Figure } from './support/benchmark.ts';
import { startLargeBodies } from './support/large-bodies.ts';
import { fixed } from './support/stats.ts';

const MB = 220;
const BODIES = ['endless', '64mb', 'gzip'] as const;
const NAMES = { endless: 'endless', '64mb': '64 MB', gzip: 'endless and compressed' } as const;

export const benchmark: Benchmark = {
  id: 11,
  title: 'memory with 100 large bodies at once',
  async run({ quick, say }) {
    const bodies = await startLargeBodies();
    try {
      const count = quick ? 20 : 100;
      const figures: Figure[] = [];
      const notes: string[] = [];
      for (const body of BODIES) {
        for (const as of [undefined, 'file'] as const) {
          const name = `${count} bodies, ${NAMES[body]}, ${as === undefined ? 'by content type' : 'as files'}`;
          const before = await bodies.kept();
          const paths = Array.from({ length: count }, (_, n) => `/${body}/${n}`);
          const { calls, peakMb, idleMb } = await bodies.read(paths, { ...(as === undefined ? {} : { as }), timeout: '10m' });
          const after = await bodies.kept();
          const cut = calls.filter(({ outcome }) => outcome === 'truncated').length;
          if (cut !== count)
            throw new Error(`${name}: ${count - cut} were not cut: ${[...new Set(calls.map(({ outcome }) => outcome))].join()}`);
          say(`${name}: ${fixed(peakMb)} MB`);
          figures.push({ name: `resident: ${name}`, value: peakMb, unit: 'MB', target: MB, better: 'lower' });
          notes.push(
            `${name}: ${fixed(idleMb)} MB before the first; kept ${fixed((after.bytes - before.bytes) / 1e6)} MB in ${after.objects - before.objects} objects, the slowest in ${fixed(Math.max(...calls.map(({ ms }) => ms)) / 1_000, 1)} s`,
          );
        }
      }
      return { figures, notes };
    } finally {
      await bodies.stop();
    }
  },
};
