/** Everything that a run's code has issued in this invocation, in order: what the issue check counts and hashes. */
import type { Issued, Receiver } from './delivery.ts';
import { rollingHash } from './journal.ts';

export type IssuedList = Issued & {
  add(op: string, receiver: Receiver): void;
  /** It has its result: what it was, and what it sent, need not be kept. */
  over(op: string): void;
  /** Wakes whoever waits for the next issue. */
  notify(): void;
  /** Labels of the newest, for people. */
  latest(): string[];
};

export function createIssued(settled: () => boolean): IssuedList {
  const receivers = new Map<string, Receiver>();
  const hash = rollingHash();
  let waiters: Array<() => void> = [];
  return {
    settled,
    count: () => receivers.size,
    hash: hash.value,
    receiver: (op) => receivers.get(op),
    describe: () => [...receivers].map(([op, { label, site }]) => ({ op, label, ...siteOf(site) })),
    changed: () => new Promise((done) => waiters.push(done)),
    add(op, receiver) {
      hash.add(op);
      receivers.set(op, receiver);
    },
    over(op) {
      const { label, site } = receivers.get(op) ?? {};
      if (label !== undefined) receivers.set(op, { label, deliver() {}, ...(site === undefined ? {} : { site }) });
    },
    notify() {
      const told = waiters;
      waiters = [];
      for (const waiter of told) waiter();
    },
    latest: () => [...receivers.values()].slice(-10).map(({ label }) => label),
  };
}

/** The library's own files, and what has no file. */
const OWN_FRAME = /\/(src|dist)\/(engine|http)\/|\(<anonymous>\)|node:/;

/** The line of user code that issued an operation. */
function siteOf(error: Error | undefined): { site?: string } {
  const line = error?.stack
    ?.split('\n')
    .slice(1)
    .find((frame) => !OWN_FRAME.test(frame));
  return line === undefined ? {} : { site: line.trim().replace(/^at /, '') };
}
