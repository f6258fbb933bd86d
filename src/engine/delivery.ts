/**
 * The delivery pump. User code observes exactly one completion per macrotask turn, in journal order, live and on replay
 * alike; on replay each at the very number and hash of issued operations that the journal records (the issue check).
 */
import type { ErrorData } from './errors.ts';
import type { Delivered, IssueMark } from './journal.ts';
import type { Clock } from './ports.ts';
import { turn } from './turn.ts';

/** An operation as the pump sees it. */
export type Receiver = { readonly label: string; deliver(entry: Delivered): void; site?: Error };

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

/** Delivers the journal. Throws `Divergence`; stops early when `closed()`. */
export async function replay(options: {
  deliveries: readonly Delivered[];
  issued: Issued;
  clock: Clock;
  closed: () => boolean;
  onDelivered: (entry: Delivered) => void;
}): Promise<void> {
  const { deliveries, issued, clock } = options;
  for (const [index, entry] of deliveries.entries()) {
    if (issued.count() < entry.issued) await untilIssued(entry, index);
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

  async function untilIssued(entry: Delivered, index: number): Promise<void> {
    let stalled = false;
    let wake = () => {};
    const timer = clock.timer(STALL_MS, () => {
      stalled = true;
      wake();
    });
    try {
      while (issued.count() < entry.issued && !options.closed()) {
        if (stalled || issued.settled()) {
          throw diverged(index, entry, `only ${issued.count()} operations were issued before it, the journal records ${entry.issued}`);
        }
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
    const known = new Set(deliveries.map((delivery) => delivery.op));
    const code = issued.describe();
    const have = new Set(code.map((operation) => operation.op));
    const missing = deliveries.slice(index).filter((delivery) => !have.has(delivery.op));
    const unexpected = code.filter((operation) => !known.has(operation.op));
    const lines = [
      `The code took another way than the journal. At delivery ${index + 1} of ${deliveries.length} (${entry.label}): ${why}.`,
      ...missing.slice(0, 5).map((delivery) => `- journal: ${delivery.label}`),
      ...unexpected.slice(0, 5).map((operation) => `+ code:    ${operation.label}${operation.site ? ` at ${operation.site}` : ''}`),
    ];
    return new Divergence({
      code: 'E_DIVERGED',
      name: 'HoldfastError',
      message: lines.join('\n'),
      detail: {
        delivery: index + 1,
        expected: entry.label,
        missing: missing.slice(0, 20).map((delivery) => delivery.label),
        unexpected: unexpected.slice(0, 20).map((operation) => ({ label: operation.label, site: operation.site ?? null })),
      },
    });
  }
}

/** The mark that a delivery made now records. */
export function mark(issued: Issued): IssueMark {
  return { issued: issued.count(), hash: issued.hash() };
}
