/** Follows the runs of the sample until all have ended, and gathers what is known of each. Owns the polling, judges nothing. */
import { setTimeout as wait } from 'node:timers/promises';
import type { ApiDeadLetter, ApiRun, HttpApi } from './http-api.ts';
import { type Measures, measure, NOTHING, sum } from './measure.ts';

export type Watched = { run: ApiRun; measures: Measures };
export type Seen = { runs: Map<string, Watched>; unfinished: Map<string, ApiRun | undefined>; letters: ApiDeadLetter[] };
export type Progress = { sent: number; queued: number; running: number; waiting: number; ended: number; letters: number; totals: Measures };

export type WatchOptions = {
  api: HttpApi;
  workflow: string;
  runs: readonly string[];
  /** The bodies that are expected among the dead letters. */
  letters: readonly string[];
  /** Milliseconds between two looks. */
  every: number;
  /** Milliseconds after which what has not ended is given up. */
  patience: number;
  progress(now: Omit<Progress, 'sent'>): void;
};

const ENDED = new Set(['succeeded', 'failed', 'cancelled']);
/** How many finished runs are read at once: the API is one small function, and the workers need the machine. */
const READERS = 4;

export async function watch(options: WatchOptions): Promise<Seen> {
  const { api } = options;
  const seen: Seen = { runs: new Map(), unfinished: new Map(options.runs.map((id) => [id, undefined])), letters: [] };
  const giveUp = performance.now() + options.patience;
  for (;;) {
    const listed = await api.runs(options.workflow);
    for (const run of listed) if (seen.unfinished.has(run.id)) seen.unfinished.set(run.id, run);
    await readEnded(api, seen);
    if (missingLetters(options.letters, seen.letters) > 0) seen.letters = await api.deadLetters();
    options.progress(progressOf(options, seen));
    const left = [...seen.unfinished.values()];
    const lettersMissing = missingLetters(options.letters, seen.letters);
    // A paused run waits for a person, and there is none.
    const hopeless = left.length > 0 && left.every((run) => run?.status === 'paused');
    if ((left.length === 0 && lettersMissing === 0) || hopeless || performance.now() > giveUp) return seen;
    await wait(options.every);
  }
}

async function readEnded(api: HttpApi, seen: Seen): Promise<void> {
  const ended = [...seen.unfinished.values()].filter((run) => run !== undefined && ENDED.has(run.status)) as ApiRun[];
  const reader = async () => {
    for (let next = ended.pop(); next; next = ended.pop()) {
      const [run, journal] = await Promise.all([api.run(next.id), api.journal(next.id)]);
      seen.runs.set(run.id, { run, measures: measure(journal) });
      seen.unfinished.delete(run.id);
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
}

function missingLetters(expected: readonly string[], letters: readonly ApiDeadLetter[]): number {
  const bodies = new Set(letters.map((letter) => letter.body));
  return expected.filter((body) => !bodies.has(body)).length;
}

function progressOf({ letters }: WatchOptions, seen: Seen): Omit<Progress, 'sent'> {
  const count = (...statuses: string[]) => [...seen.unfinished.values()].filter((run) => statuses.includes(run?.status ?? 'queued')).length;
  return {
    queued: count('queued'),
    running: count('running'),
    waiting: count('waiting', 'paused'),
    ended: seen.runs.size,
    letters: letters.length - missingLetters(letters, seen.letters),
    totals: [...seen.runs.values()].reduce((total, { measures }) => sum(total, measures), NOTHING),
  };
}
