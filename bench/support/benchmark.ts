/** What a benchmark is: a target, and how to measure it. Knows neither how it is run nor how its figures are shown. */

export type Figure = {
  name: string;
  value: number;
  unit: string;
  target: number;
  /** Which side of the target is good. */
  better: 'lower' | 'higher';
};

export type Measured = {
  figures: Figure[];
  /** What is worth knowing beside the figures: baselines, CPU, prices. */
  notes: string[];
};

export type RunOptions = {
  /** Fewer rounds and smaller sizes: for seeing that it works, not for numbers to publish. */
  quick: boolean;
  /** One line on how far it is. */
  say(line: string): void;
};

export type Benchmark = {
  /** The target's number. */
  id: number;
  title: string;
  /** Throws when it could not measure. */
  run(options: RunOptions): Promise<Measured>;
};

/** One figure as machines read it. */
export type Row = { id: number; name: string; value: number; unit: string; target: number; met: boolean };

export function rowOf(id: number, { name, value, unit, target, better }: Figure): Row {
  const rounded = Number(value.toPrecision(4));
  return { id, name, value: rounded, unit, target, met: better === 'lower' ? rounded <= target : rounded >= target };
}
