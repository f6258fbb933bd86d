/** Records as the API shows them: times as ISO 8601 texts, large values bounded, links beside them. */
import { type ErrorData, HoldfastError } from '../engine/errors.ts';
import { resolve } from '../engine/payloads.ts';
import type { DeadLetter, Payload, PayloadStore, RunRecord, RunSummary } from '../engine/ports.ts';
import { redactError, redactText } from '../engine/redaction.ts';
import type { DeadLetterItem, Run, RunItem, StartedRun } from './schemas.ts';
import { shownValue } from './shown.ts';

/** A run's input and result are shown whole up to this: two of them must fit into one answer of Lambda (6 MB). */
export const SHOWN_BYTES = 1024 * 1024;
/** What is shown of one of many values. */
export const EXCERPT_BYTES = 4 * 1024;

const FINAL: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled']);

export const hasEnded = (run: Pick<RunRecord, 'status'>): boolean => FINAL.has(run.status);

export const time = (at: number): string => new Date(at).toISOString();

export function runLinks(id: string, base: string): RunItem['links'] {
  return { self: `${base}/v1/runs/${id}`, journal: `${base}/v1/runs/${id}/journal` };
}

export function startedView(run: Pick<RunRecord, 'id' | 'status'>, base: string): StartedRun {
  return { id: run.id, status: run.status, links: runLinks(run.id, base) };
}

export function summaryView(run: RunSummary, base: string): RunItem {
  return {
    id: run.id,
    workflow: run.workflow,
    version: run.version,
    status: run.status,
    tenant: run.tenant,
    createdAt: time(run.createdAt),
    ...(run.startedAt === undefined ? {} : { startedAt: time(run.startedAt) }),
    ...(run.endedAt === undefined ? {} : { endedAt: time(run.endedAt) }),
    ...(run.wakeAt === undefined ? {} : { wakeAt: time(run.wakeAt) }),
    ...(run.reason === undefined ? {} : { reason: redactError(run.reason) }),
    links: runLinks(run.id, base),
  };
}

/** One of many: two hundred of them must fit into an answer, however much each has to tell. */
export function listedView(run: RunSummary, base: string): RunItem {
  const view = summaryView(run, base);
  return run.reason === undefined ? view : { ...view, reason: brief(redactError(run.reason)) };
}

const BRIEF_BYTES = 2 * 1024;

/** What is longer is read with the run itself. */
function brief({ code, name, message, detail }: ErrorData): ErrorData {
  const small = detail !== undefined && Buffer.byteLength(JSON.stringify(detail)) <= BRIEF_BYTES;
  return {
    code,
    message: message.length <= BRIEF_BYTES ? message : `${message.slice(0, BRIEF_BYTES)}…`,
    ...(name === undefined ? {} : { name }),
    ...(small ? { detail } : {}),
  };
}

export async function runView(run: RunRecord, payloads: PayloadStore, base: string): Promise<Run> {
  const { outcome } = run;
  const [input, result] = await Promise.all([
    shown(run.input, payloads),
    outcome && 'value' in outcome ? shown(outcome.value, payloads) : undefined,
  ]);
  return {
    ...summaryView(run, base),
    idempotencyKey: run.key,
    crashes: run.crashes,
    input,
    ...(outcome && 'value' in outcome ? { result } : {}),
    ...(outcome && 'error' in outcome ? { error: redactError(outcome.error) } : {}),
  };
}

/** The value; of one that is too large or gone, how large it is. */
async function shown(payload: Payload, payloads: PayloadStore): Promise<unknown> {
  if ('ref' in payload && payload.bytes > SHOWN_BYTES) return { truncated: true, bytes: payload.bytes };
  try {
    return parsed(await resolve(payload, payloads));
  } catch (error) {
    // Payloads expire some time after their run has ended, earlier than the run itself.
    if (error instanceof HoldfastError && error.code === 'E_PAYLOAD_MISSING') {
      return { missing: true, ...('ref' in payload ? { bytes: payload.bytes } : {}) };
    }
    throw error;
  }
}

/** A function that returns nothing leaves an empty text. */
export const parsed = (text: string): unknown => (text === '' ? null : JSON.parse(text));

/** One of many values: the value itself while it is small, otherwise the beginning of its text. */
export function excerpt(payload: Payload): { value?: unknown; truncated?: true; bytes?: number } {
  if ('ref' in payload) return { truncated: true, bytes: payload.bytes };
  const bytes = Buffer.byteLength(payload.text);
  // Before it is cut: of half a body nobody could say what is in it.
  const value = shownValue(payload.text);
  return bytes <= EXCERPT_BYTES ? { value } : { value: beginning(JSON.stringify(value)), truncated: true, bytes };
}

/** At most that many bytes, whole characters. */
function beginning(text: string): string {
  // `stream` keeps back a character that the cut has split.
  return new TextDecoder().decode(Buffer.from(text.slice(0, EXCERPT_BYTES)).subarray(0, EXCERPT_BYTES), { stream: true });
}

export function deadLetterView(letter: DeadLetter): DeadLetterItem {
  // What was too long for its item is kept apart, and `body` is its beginning.
  const whole = letter.reason.detail?.bodyBytes;
  const bytes = typeof whole === 'number' ? whole : Buffer.byteLength(letter.body);
  return {
    id: letter.id,
    firstSeen: time(letter.firstSeen),
    reason: brief(redactError(letter.reason)),
    ...(letter.tenant === undefined ? {} : { tenant: letter.tenant }),
    ...(letter.workflow === undefined ? {} : { workflow: letter.workflow }),
    ...(bytes <= EXCERPT_BYTES
      ? { body: redactText(letter.body) }
      : { body: beginning(redactText(letter.body)), truncated: true as const }),
    bytes,
  };
}
