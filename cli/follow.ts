/** Follows a run to its end: tells of calls as they end and of waits with the time left, on stderr. Owns the polling. */
import type { Api } from './api.ts';
import { ENDED, type JournalItem, type Page, type Run } from './api-types.ts';
import { CliError, EXIT } from './errors.ts';
import { progressLine } from './render/progress.ts';
import { statusStyle } from './render/status.ts';
import { duration } from './render/time.ts';
import type { Tools } from './tools.ts';

/** How long a request waits for the end, seconds: short while calls come, longer while the run is put down. */
const WAIT_RUNNING = 1;
const WAIT_PUT_DOWN = 5;
/** So many requests in a row may find nobody: a network that was away for a moment is not the run's end. */
const PATIENCE = 5;
const PAUSE_MS = 1_000;

/** So long a run may stay paused after it was told to go on: a worker has to hear of it first. */
const HEARING_MS = 10_000;

/**
 * `toldToGoOn`: it was asked to do something just now, so that what it is may be what it was.
 * Resolves with the run once it has ended, or is paused; with `interrupted` when Ctrl-C came first. The run goes on either way.
 */
export async function follow(tools: Tools, api: Api, id: string, toldToGoOn = false): Promise<Run | 'interrupted'> {
  const line = statusLine(tools);
  let interrupted = false;
  let wake = () => {};
  const gone = new Promise<'interrupted'>((resolve) => {
    wake = () => resolve('interrupted');
  });
  const back = tools.outside.onInterrupt(() => {
    interrupted = true;
    wake();
  });
  const heardBy = tools.outside.now() + HEARING_MS;
  let heard = !toldToGoOn;
  let after: string | undefined;
  try {
    for (let wait = 0; ; ) {
      const run = await Promise.race([gone, patiently(tools, () => api.get<Run>(`/v1/runs/${id}`, { wait }))]);
      if (run === 'interrupted' || interrupted) return 'interrupted';
      after = await tellNew(tools, api, id, after, line);
      heard ||= run.status !== 'paused' || tools.outside.now() > heardBy;
      if (ENDED.has(run.status) || (run.status === 'paused' && heard)) return run;
      line.show(statusText(run, tools));
      wait = run.status === 'waiting' ? WAIT_PUT_DOWN : WAIT_RUNNING;
    }
  } finally {
    back();
    line.clear();
  }
}

async function tellNew(tools: Tools, api: Api, id: string, from: string | undefined, line: StatusLine): Promise<string | undefined> {
  let after = from;
  for (;;) {
    const page = await patiently(tools, () => api.get<Page<JournalItem>>(`/v1/runs/${id}/journal`, { after }));
    for (const item of page.items) {
      const text = progressLine(item, tools.paintNote);
      if (text !== undefined) line.print(text);
      after = String(item.seq);
    }
    if (page.next === undefined) return after;
  }
}

async function patiently<T>(tools: Tools, ask: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof CliError) || error.exit !== EXIT.unreachable || error.data.status === 401 || tried === PATIENCE) throw error;
      await tools.outside.wait(PAUSE_MS);
    }
  }
}

function statusText(run: Run, { outside, paintNote }: Tools): string {
  const left = run.wakeAt === undefined ? Number.NaN : Date.parse(run.wakeAt) - outside.now();
  const waits = run.status === 'waiting' && left > 0 ? `, ${duration(left)} left` : '';
  return `  ${paintNote(statusStyle(run.status), run.status)}${waits}`;
}

type StatusLine = { print(text: string): void; show(text: string): void; clear(): void };

/** A last line that is written over on a terminal. On a pipe: a line when it says something new in kind. */
function statusLine({ outside: { stderr } }: Tools): StatusLine {
  const terminal = stderr.isTTY === true;
  const erase = () => void (terminal && stderr.write('\r\u001b[2K'));
  let shown = '';
  return {
    print(text) {
      erase();
      stderr.write(`${text}\n`);
      if (terminal) stderr.write(shown);
    },
    show(text) {
      if (terminal) {
        shown = text;
        erase();
        stderr.write(shown);
      } else if (text.split(',')[0] !== shown.split(',')[0]) {
        shown = text;
        stderr.write(`${text}\n`);
      }
    },
    clear() {
      shown = '';
      erase();
    },
  };
}
