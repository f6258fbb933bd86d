/**
 * The delivery pump. User code observes exactly one completion per macrotask turn, in journal order, live and on replay
 * alike; on replay each at the very number and hash of issued operations that the journal records (the issue check).
 */
import type { ErrorData } from './errors.ts';
import type { Delivered, IssueMark } from './journal.ts';
import type { Clock } from './ports.ts';
import { turn } from './turn.ts';

/** An operation as the pump sees it. */
export type Receiver = {
  readonly label: string;
  /** What must be there before a result of this value is delivered; `undefined`: nothing. */
  load?(value: string | undefined): Promise<void> | undefined;
  deliver(entry: Delivered): void;
  site?: Error;
};

/** Un-journaled async work between operations gets this long on replay before its absence counts as a divergence. */
export const STALL_MS = 10_000;

export class Divergence extends Error {
  override readonly name = 'Divergence';
  readonly data: ErrorData;
  constructor(data: ErrorData) {
    super(data.message);
    this.data = data;
  }
}

export type Issued = {
  count(): number;
  hash(): string;
  receiver(op: string): Receiver | undefined;
  /** Labels of what was issued, with call sites where known, for people. */
  describe(): Array<{ op: string; label: string; site?: string }>;
  /** Resolves at the next issue, or when user code has settled. */
  changed(): Promise<void>;
  settled(): boolean;
};

/** Delivers the journal. Throws `Divergence`, and what loading a value throws; stops early when `closed()`. */
export async function replay(options: {
  deliveries: readonly Delivered[];
  /** Operations without a result of which the journal knows: the code must issue them too, or it would do something else instead. */
  begun: ReadonlyArray<{ op: string; label: string }>;
  issued: Issued;
  clock: Clock;
  closed: () => boolean;
  onDelivered: (entry: Delivered) => void;
}): Promise<void> {
  const { deliveries, begun, issued, clock } = options;
  for (const [index, entry] of deliveries.entries()) {
    const tooFew = () =>
      diverged(index, entry, `only ${issued.count()} operations were issued before it, the journal records ${entry.issued}`);
    // As early as can be: what user code does of its own accord meanwhile must not get further than it did then.
    if (!issued.receiver(entry.op)) await until(() => issued.receiver(entry.op) !== undefined || issued.count() >= entry.issued, tooFew);
    const loading = issued.receiver(entry.op)?.load?.(textOf(entry));
    if (loading !== undefined) await loading;
    await until(() => issued.count() >= entry.issued, tooFew);
    if (options.closed()) return;
    if (issued.count() > entry.issued)
      throw diverged(index, entry, `${issued.count()} operations were issued before it, the journal records ${entry.issued}`);
    if (issued.hash() !== entry.hash)
      throw diverged(index, entry, 'the operations issued before it are not those that the journal records');
    const receiver = issued.receiver(entry.op);
    if (!receiver) throw diverged(index, entry, 'the code has not issued it');
    options.onDelivered(entry);
    receiver.deliver(entry);
    await turn();
    if (options.closed()) return;
  }
  await until(
    () => begun.every(({ op }) => issued.receiver(op) !== undefined),
    () => differs(`After the last delivery: not everything that had begun was issued again.`, deliveries.length, begun[0]?.label ?? ''),
  );

  /** Un-journaled work may stand between two operations: they are waited for, but not for ever. */
  async function until(enough: () => boolean, divergence: () => Divergence): Promise<void> {
    if (enough()) return;
    let stalled = false;
    let wake = () => {};
    const timer = clock.timer(STALL_MS, () => {
      stalled = true;
      wake();
    });
    try {
      while (!enough() && !options.closed()) {
        if (stalled || issued.settled()) throw divergence();
        const stall = new Promise<void>((done) => {
          wake = done;
        });
        await Promise.race([issued.changed(), stall]);
        // Everything that this turn still issues belongs to the count.
        await turn();
      }
    } finally {
      timer.cancel();
    }
  }

  function diverged(index: number, entry: Delivered, why: string): Divergence {
    return differs(`At delivery ${index + 1} of ${deliveries.length} (${short(entry.label)}): ${why}.`, index, entry.label);
  }

  /** Both sides: what the journal has and the code has not issued, and the other way round, with the line of code. */
  function differs(where: string, index: number, expected: string): Divergence {
    const known = new Set([...deliveries, ...begun].map(({ op }) => op));
    const code = issued.describe();
    const have = new Set(code.map((operation) => operation.op));
    const missing = [...deliveries.slice(index), ...begun].filter(({ op }) => !have.has(op)).map(({ label }) => short(label));
    const unexpected = code
      .filter((operation) => !known.has(operation.op))
      .map((operation) => ({ label: short(operation.label), site: operation.site ?? null }));
    const lines = [
      `The code took another way than the journal. ${where}`,
      ...missing.slice(0, 5).map((label) => `- journal: ${label}`),
      // The same operations in another order, or fewer: what the code did is then all there is to tell.
      ...(unexpected.length > 0 ? [] : [`  code issued: ${issuedLast(code)}`]),
      ...unexpected.slice(0, 5).map(({ label, site }) => `+ code:    ${label}${site === null ? '' : ` at ${site}`}`),
    ];
    return new Divergence({
      code: 'E_DIVERGED',
      name: 'HoldfastError',
      message: lines.join('\n'),
      detail: { delivery: index + 1, expected: short(expected), missing: missing.slice(0, 20), unexpected: unexpected.slice(0, 20) },
    });
  }
}

export function textOf({ value }: Delivered): string | undefined {
  return value && 'text' in value ? value.text : undefined;
}

function issuedLast(code: ReadonlyArray<{ label: string }>): string {
  const last = code.slice(-5).map(({ label }) => short(label));
  return last.length === 0 ? 'nothing' : `${code.length > 5 ? '…, ' : ''}${last.join(', ')}`;
}

/** A diff is kept in an item of bounded size. */
function short(label: string): string {
  return label.length <= 200 ? label : `${label.slice(0, 200)}…`;
}

/** The mark that a delivery made now records. */
export function mark(issued: Issued): IssueMark {
  return { issued: issued.count(), hash: issued.hash() };
}
