/**
 * What becomes of a message on the dead-letter queue. Knows the ports alone.
 * A start that never became a run is kept with its reason until somebody decides; anything that belongs to a persisted run
 * only makes the sweeper look at that run: a dead letter never fails one.
 */
import { type ErrorData, HoldfastError, toErrorData } from './errors.ts';
import type { Clock, DeadLetter, PayloadRemoval, PayloadStore, RunStore, WakeMessage, WorkStore } from './ports.ts';
import { parseStartMessage, runId, type StartRequest } from './start.ts';

/** Beside a refused message: why, and what it was before it was sent anew. */
export const DEAD_LETTER_ATTRIBUTES = {
  reason: 'HoldfastReason',
  messageId: 'HoldfastMessageId',
  sentAt: 'HoldfastSentAt',
} as const;

export type DeadMessage = {
  messageId: string;
  body: string;
  /** When it was sent, milliseconds since the epoch. */
  sentAt: number;
  attributes: { readonly [name: string]: string | undefined };
  /** Its message group, which is the tenant of a start that names none. */
  tenant?: string;
};

/** `kept`: listed as a dead letter. `nudged`: its run is looked at now. `dropped`: its run has ended or is gone. */
export type Drained = { outcome: 'kept' | 'nudged' | 'dropped'; run?: string };

export type Draining = { store: WorkStore; payloads: PayloadStore; clock: Clock };

/** A table's item holds 400 KB; what is longer is stored whole beside it, and its beginning shown. */
const LONGEST_BODY = 256 * 1024;
const SHOWN = 16 * 1024;

/** The body of a wake message, or undefined for anything else. */
export function parseWakeMessage(body: string): WakeMessage | undefined {
  try {
    const message = JSON.parse(body) as { run?: unknown; traceparent?: unknown } | null;
    if (message === null || typeof message !== 'object' || typeof message.run !== 'string' || message.run === '') return undefined;
    return { run: message.run, ...(typeof message.traceparent === 'string' ? { traceparent: message.traceparent } : {}) };
  } catch {
    return undefined;
  }
}

/** Idempotent: the same message drained twice ends in the same. Throws when a store does; then the message stays. */
export async function drainDeadLetter(ports: Draining, message: DeadMessage): Promise<Drained> {
  const refused = reasonOf(message);
  const messageId = message.attributes[DEAD_LETTER_ATTRIBUTES.messageId] ?? message.messageId;
  if (!refused) {
    const wake = parseWakeMessage(message.body);
    if (wake) return nudge(ports, wake.run);
  }
  const { request, fault } = parsed(message.body);
  if (!refused && request) {
    const id = runId(tenantOf(request, message), request.workflow, request.idempotencyKey ?? messageId);
    const nudged = await nudge(ports, id);
    if (nudged.run !== undefined) return nudged;
  }
  await keepDeadLetter(ports, {
    id: messageId,
    body: message.body,
    reason: refused ?? fault ?? neverStarted(),
    firstSeen: Number(message.attributes[DEAD_LETTER_ATTRIBUTES.sentAt]) || message.sentAt,
    ...(request ? { workflow: request.workflow, tenant: tenantOf(request, message) } : {}),
  });
  return { outcome: 'kept' };
}

/** Puts a letter, however large its message is: `reason.detail` says where the whole of a body is that was cut. */
export async function keepDeadLetter({ store, payloads }: Pick<Draining, 'store' | 'payloads'>, letter: DeadLetter): Promise<void> {
  const bodyBytes = Buffer.byteLength(letter.body);
  if (bodyBytes <= LONGEST_BODY) return store.putDeadLetter(letter);
  const bodyRef = `${placeOf(letter.id)}body`;
  await payloads.put(bodyRef, Buffer.from(letter.body));
  const reason = { ...letter.reason, detail: { ...letter.reason.detail, bodyRef, bodyBytes } };
  await store.putDeadLetter({ ...letter, body: letter.body.slice(0, SHOWN), reason });
}

/** The message as it was sent. Where the rest of one that was cut lies follows from its id: what its reason says may be anybody's. */
export async function bodyOf({ id, body, reason }: DeadLetter, payloads: Pick<PayloadStore, 'get'>): Promise<string> {
  const ref = reason.detail?.bodyRef;
  // Version 0.1 put it under the letter's name itself.
  const own = [`${placeOf(id)}body`, placeOf(id).slice(0, -1)].find((place) => place === ref);
  return own === undefined ? body : new TextDecoder().decode(await payloads.get(own));
}

/** Removes a letter, and what was cut off it. False: it was not there. */
export async function forgetDeadLetter(
  { store, payloads }: { store: Pick<RunStore, 'removeDeadLetter'>; payloads: PayloadRemoval },
  { id, reason }: DeadLetter,
): Promise<boolean> {
  const removed = await store.removeDeadLetter(id);
  if (reason.detail?.bodyRef !== undefined) await payloads.removeAll(placeOf(id));
  return removed;
}

const placeOf = (id: string): string => `dead-letters/${id}/`;

/** Sets `due` to now. `run` is there when it exists. */
async function nudge({ store, clock }: Draining, id: string): Promise<Drained> {
  const run = (await store.load([id])).get(id);
  if (!run || 'stub' in run) return { outcome: 'dropped' };
  if (run.due === undefined) return { outcome: 'dropped', run: id };
  const now = clock.now();
  // Moved by somebody else in between: then it moves, which is all that is wanted.
  if (run.due > now) await store.pushDue(id, run.due, now);
  return { outcome: 'nudged', run: id };
}

function reasonOf(message: DeadMessage): ErrorData | undefined {
  const text = message.attributes[DEAD_LETTER_ATTRIBUTES.reason];
  if (text === undefined) return undefined;
  try {
    const reason = JSON.parse(text) as ErrorData;
    if (typeof reason?.code === 'string' && typeof reason.message === 'string') return reason;
  } catch {
    // Somebody else's attribute of the same name: read the message as if it were not there.
  }
  return undefined;
}

const tenantOf = (request: StartRequest, message: DeadMessage): string => request.tenant ?? message.tenant ?? 'default';

function parsed(body: string): { request?: StartRequest; fault?: ErrorData } {
  try {
    return { request: parseStartMessage(body) };
  } catch (error) {
    return { fault: withoutStack(toErrorData(error, 'E_MESSAGE_MALFORMED')) };
  }
}

function neverStarted(): ErrorData {
  return withoutStack(
    toErrorData(
      new HoldfastError(
        'E_INTERNAL',
        'the message was delivered as often as the queue allows and never became a run: the worker failed before it could write one. Look at its log, then redrive.',
      ),
    ),
  );
}

/** Where in our code a message was refused tells nothing about the message. */
export function withoutStack({ stack: _ours, ...reason }: ErrorData): ErrorData {
  return reason;
}
