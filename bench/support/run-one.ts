/** Entry of a benchmark's process: loads the module named by its argument, measures, tells its parent, ends. */
import type { Benchmark } from './benchmark.ts';
import type { FromBenchmark } from './runner.ts';

const [file = '', quick] = process.argv.slice(2);
const tell = (message: FromBenchmark) => new Promise<void>((told) => void process.send?.(message, () => told()));

process.on('disconnect', () => process.exit(1));
try {
  const { benchmark } = (await import(new URL(`../${file}`, import.meta.url).href)) as { benchmark: Benchmark };
  const measured = await benchmark.run({ quick: quick === 'true', say: (line) => void tell({ type: 'say', line }) });
  await tell({ type: 'measured', measured });
  process.exit(0);
} catch (error) {
  await tell({ type: 'broken', error: (error as Error).stack ?? String(error) });
  process.exit(1);
}
