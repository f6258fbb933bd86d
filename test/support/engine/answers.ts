/** What scripted operations answer, and how a test holds one back. */
import type { AttemptEnv, Live, LiveReply, Operation, Verdict } from '../../../src/engine/operation.ts';

export type Sent = { label: string; op: string; attempt: number; at: number; key: string; firstSentAt?: number };

export type CallOptions = Partial<
  Pick<Operation, 'keyIdentity' | 'bodyHash' | 'keyTtl' | 'timeout' | 'identity' | 'signal' | 'unknown' | 'revive' | 'admit' | 'target'>
> & {
  /** How long one attempt takes. Default 10 ms. */
  ms?: number;
  /** What the nth attempt made in this world leads to; the default is done, with `<label>=<how often it was sent>`. */
  answer?: (env: AttemptEnv, nth: number) => Verdict | Live | Promise<Verdict | Live>;
};

export const NEVER = new Promise<never>(() => {});
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

export const done = (value: unknown): Verdict => ({ type: 'done', value: JSON.stringify(value) });
export const failed = (message: string): Verdict => ({ type: 'fail', error: { code: 'E_CALL_FAILED', message } });
export const again = (at: number, counts: 'attempt' | 'throttle' | 'nothing' = 'attempt'): Verdict => ({
  type: 'again',
  at,
  counts,
  error: { code: 'E_CALL_FAILED', message: 'not now' },
});

/** Two invocations that fight over one run need a worker that stops at a place: a gate that opens when told. */
export function gate(): { wait(): Promise<void>; open(): void; readonly reached: boolean } {
  let release = () => {};
  let reached = false;
  const opened = new Promise<void>((next) => {
    release = next;
  });
  return {
    wait: () => {
      reached = true;
      return opened;
    },
    open: () => release(),
    get reached() {
      return reached;
    },
  };
}

/** A reply that comes in pieces, each given when the test says so: user code has those that it was not muted for, the exchange has all. */
export function comingReply(): Live & {
  give(piece: string): void;
  end(verdict?: Verdict): void;
  readonly taken: boolean;
  readonly muted: boolean;
  readonly cut: boolean;
} {
  const all: string[] = [];
  const given: string[] = [];
  let muted = false;
  let cut = false;
  let over: [Extract<Verdict, { type: 'done' }>, Verdict] | undefined;
  const hear: Array<Parameters<LiveReply['onEnd']>[0]> = [];
  const text = (pieces: string[]) => ({ type: 'done', value: JSON.stringify(pieces) }) as const;
  function end(verdict: Verdict = text(all)): void {
    if (over) return;
    over = [text(given), verdict];
    for (const fn of hear) fn(...over);
  }
  return {
    type: 'live',
    give(piece) {
      if (over) return;
      all.push(piece);
      if (!muted) given.push(piece);
    },
    end,
    get taken() {
      return hear.length > 0;
    },
    get muted() {
      return muted;
    },
    get cut() {
      return cut;
    },
    reply: {
      head: '"head"',
      onEnd(fn) {
        if (over) fn(...over);
        else hear.push(fn);
      },
      release() {},
      cut() {
        cut = true;
        end();
      },
      mute() {
        muted = true;
      },
    },
  };
}
