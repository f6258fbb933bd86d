/**
 * A body as a handle that reads it when it is asked to, piece by piece. In a run each reading is an operation of its own: it comes
 * at the same place on every replay, and the run is not put down meanwhile. Loaded when the first such reply is delivered.
 */
import { currentRun } from '../../engine/context.ts';
import { HoldfastError, toErrorData } from '../../engine/errors.ts';
import type { AttemptEnv, Operation, Verdict } from '../../engine/operation.ts';
import type { PayloadStore } from '../../engine/ports.ts';
import { exponential } from '../backoff.ts';
import { CONTENT, type Content, decodeText, type StoredBody, type StoredReply, withoutMark } from '../reply.ts';
import type { StoredPieces } from './sink.ts';

/** Read at once: 1 MB. */
const PIECES_AT_ONCE = 4;
const READ_ATTEMPTS = 6;
const READ_TIMEOUT_MS = 30_000;

/** `payloads`: for reading outside a run and in steps; `label`: of the call that it is the reply to. */
export function storedBody(reply: StoredReply, label: string, payloads: Pick<PayloadStore, 'get'>): StoredBody {
  const content = contentOf(reply);

  async function* stream(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    if ('bytes' in content) {
      if (content.bytes.length > 0) yield new Uint8Array(content.bytes);
      return;
    }
    const { pieces } = content.stored;
    for (let first = 0; first < pieces; first += PIECES_AT_ONCE) {
      yield* await read(content.stored, first, Math.min(pieces, first + PIECES_AT_ONCE));
    }
  }

  async function bytes(): Promise<Uint8Array<ArrayBuffer>> {
    if ('bytes' in content) return new Uint8Array(content.bytes);
    return joined(await read(content.stored, 0, content.stored.pieces));
  }

  /** Those of a run are journaled, though not what they read. */
  async function read(stored: StoredPieces, first: number, end: number): Promise<Array<Uint8Array<ArrayBuffer>>> {
    const here = currentRun();
    if (!here) return fetchPieces(payloads, stored, first, end);
    const reading = readingOf(stored, first, end, label);
    await here.run.issue(reading.operation);
    return reading.take();
  }

  const text = async () => decodeText(reply, await bytes());
  const handle: StoredBody = {
    size: 'bytes' in content ? content.bytes.length : content.stored.bytes,
    type: reply.headers['content-type'],
    stream,
    bytes,
    text,
    json: async () => JSON.parse(withoutMark(await text())) as unknown,
  };
  // For those who send it on: no user has a use for it.
  Object.defineProperty(handle, CONTENT, { value: { ...content, payloads } satisfies Content });
  return Object.freeze(handle);
}

function contentOf({ body, text, base64 }: StoredReply): { bytes: Uint8Array } | { stored: StoredPieces } {
  if (body) return { stored: body };
  return { bytes: text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text, 'utf8') };
}

function readingOf(stored: StoredPieces, first: number, end: number, label: string) {
  let read: Array<Uint8Array<ArrayBuffer>> | undefined;
  const whole = first === 0 && end === stored.pieces;
  const operation: Operation = {
    kind: 'read',
    identity: `read ${stored.ref} ${first}-${end}`,
    label: `read the body of ${label}${whole ? '' : `, pieces ${first + 1}–${end} of ${stored.pieces}`}`,
    effect: 'safe',
    timeout: READ_TIMEOUT_MS,
    async attempt(env) {
      try {
        read = await fetchPieces(storeOf(env), stored, first, end);
        return { type: 'done', value: String(read.reduce((sum, { length }) => sum + length, 0)) };
      } catch (error) {
        return unread(error, env, label);
      }
    },
    // What an attempt of this invocation has read is there; a replay reads it now.
    load(_value, env) {
      if (read !== undefined) return undefined;
      return fetchPieces(storeOf(env), stored, first, end).then((pieces) => {
        read = pieces;
      });
    },
  };
  return {
    operation,
    /** The operation outlives the reading, and must not keep what was read. */
    take(): Array<Uint8Array<ArrayBuffer>> {
      const pieces = read ?? [];
      read = undefined;
      return pieces;
    },
  };
}

function storeOf({ payloads }: Pick<AttemptEnv, 'payloads'>): PayloadStore {
  if (payloads) return payloads;
  throw new HoldfastError('E_INTERNAL', 'a run has no payload store to read a body from');
}

function unread(thrown: unknown, env: AttemptEnv, label: string): Verdict {
  const data = toErrorData(thrown, 'E_CALL_FAILED');
  const error = { ...data, message: `the stored body of ${label} cannot be read: ${data.message}` };
  if (data.code === 'E_PAYLOAD_MISSING') return { type: 'pause', error };
  if (env.attempt >= READ_ATTEMPTS) return { type: 'fail', error };
  return { type: 'again', at: env.clock.now() + Math.ceil(exponential({ ...env, random: env.entropy.random })), counts: 'attempt', error };
}

/** The whole body, to be had before its reply is delivered. */
export async function fetchBody(store: Pick<PayloadStore, 'get'>, stored: StoredPieces): Promise<Uint8Array<ArrayBuffer>> {
  return joined(await fetchPieces(store, stored, 0, stored.pieces));
}

/** A few at once: one after the other would take as many round trips as there are pieces. */
export async function fetchPieces(
  store: Pick<PayloadStore, 'get'>,
  stored: StoredPieces,
  first: number,
  end: number,
): Promise<Array<Uint8Array<ArrayBuffer>>> {
  const pieces: Array<Uint8Array<ArrayBuffer>> = [];
  for (let from = first; from < end; from += PIECES_AT_ONCE) {
    const numbers = Array.from({ length: Math.min(end, from + PIECES_AT_ONCE) - from }, (_, n) => from + n);
    // Nobody else has these, so nobody needs them copied.
    pieces.push(...(await Promise.all(numbers.map(async (n) => plain(await store.get(`${stored.ref}/${n}`))))));
  }
  return pieces;
}

const plain = (data: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);

function joined(pieces: ReadonlyArray<Uint8Array<ArrayBuffer>>): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
