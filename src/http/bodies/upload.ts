/** Sends bodies that are not in memory: reads them anew for every sending, the same bytes each time. Loaded when one is first sent. */
import type { AttemptEnv } from '../../engine/operation.ts';
import { CallError } from '../errors.ts';
import type { Content } from '../reply.ts';
import type { HttpRuntime } from '../runtime.ts';
import type { Part, Source } from './body.ts';
import { payloadsOf } from './keep.ts';
import { multipartType } from './multipart.ts';
import type { StoredPieces } from './sink.ts';
import { newRef, spill } from './spill.ts';
import { fetchPieces } from './stored-body.ts';

/** What of an upload is kept over the attempts of a call in this process. */
export type Spooled = { once?: Promise<StoredPieces> };

export type Upload = {
  /** To be added to the request's. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
  /** It is not sent after all. */
  drop(): void;
};

const SLICE_BYTES = 256 * 1024;

/**
 * Its first bytes are read already: what cannot be read at all fails before anything is sent. Rejects with `E_REQUEST_INVALID` when
 * the user's iterable throws, with `E_PAYLOAD_MISSING`, and with what the store throws.
 */
export async function openUpload(source: Source, http: HttpRuntime, env: AttemptEnv, spooled: Spooled): Promise<Upload> {
  const whole = source.kind === 'once' ? await spool(source.iterable, http, env, spooled) : source;
  const boundary = `holdfast-${whole.kind === 'multipart' ? await http.sign(`boundary ${env.keyMaterial}`) : ''}`;
  const size = sizeOf(whole, boundary);
  const chunks = read(whole, boundary)[Symbol.asyncIterator]();
  const first = await chunks.next();
  async function* body(): AsyncGenerator<Uint8Array> {
    if (first.done) return;
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => chunks };
  }
  return {
    headers: {
      ...(size === undefined ? {} : { 'content-length': String(size) }),
      ...(whole.kind === 'multipart' ? { 'content-type': multipartType(boundary) } : {}),
    },
    body: body(),
    drop: () => void chunks.return?.(undefined)?.catch(() => {}),
  };
}

/** Read once, by the first attempt that gets so far; later ones wait for the same reading, and send what it has kept. */
async function spool(
  iterable: AsyncIterable<Uint8Array | string>,
  http: HttpRuntime,
  env: AttemptEnv,
  spooled: Spooled,
): Promise<Extract<Source, { kind: 'stored' }>> {
  spooled.once ??= (async () => {
    const payloads = await payloadsOf(env);
    const sink = spill(payloads, newRef(env), { rooms: http.rooms });
    for await (const chunk of checked(iterable)) await sink.write(chunk);
    const { stored } = await sink.end(false);
    if (!env.payloads) {
      const { dropUnread } = await import('./temp-payloads.ts');
      dropUnread(stored as StoredPieces);
    }
    return stored as StoredPieces;
  })();
  const stored = await spooled.once;
  return { kind: 'stored', content: { stored, payloads: await payloadsOf(env) } };
}

type Ready = Exclude<Source, { kind: 'once' }>;

function read(source: Ready, boundary: string): AsyncIterable<Uint8Array> {
  switch (source.kind) {
    case 'blob':
      return slices(source.blob);
    case 'stored':
      return piecesOf(source.content);
    case 'made':
      return made(source.make);
    case 'multipart':
      return partsOf(source.parts, boundary);
  }
}

function sizeOf(source: Ready, boundary: string): number | undefined {
  switch (source.kind) {
    case 'blob':
      return source.blob.size;
    case 'stored':
      return source.content.stored.bytes;
    case 'made':
      return undefined;
    case 'multipart': {
      const around = source.parts.map(({ head, content }) => {
        const inner = content instanceof Uint8Array ? content.length : (sizeOf(content, '') as number);
        return Buffer.byteLength(head) + inner + boundary.length + 6;
      });
      return around.reduce((sum, size) => sum + size, boundary.length + 6);
    }
  }
}

async function* partsOf(parts: readonly Part[], boundary: string): AsyncGenerator<Uint8Array> {
  for (const { head, content } of parts) {
    yield Buffer.from(`--${boundary}\r\n${head}`);
    if (content instanceof Uint8Array) yield content;
    else yield* read(content, '');
    yield Buffer.from('\r\n');
  }
  yield Buffer.from(`--${boundary}--\r\n`);
}

async function* slices(blob: Blob): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < blob.size; at += SLICE_BYTES) yield new Uint8Array(await blob.slice(at, at + SLICE_BYTES).arrayBuffer());
}

async function* piecesOf({ stored, payloads }: Extract<Content, { stored: unknown }>): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < stored.pieces; at++) yield* await fetchPieces(payloads, stored, at, at + 1);
}

async function* made(make: () => AsyncIterable<Uint8Array | string>): AsyncGenerator<Buffer> {
  yield* checked({ [Symbol.asyncIterator]: () => make()[Symbol.asyncIterator]() });
}

/** What user code yields, or throws. */
async function* checked(iterable: AsyncIterable<Uint8Array | string>): AsyncGenerator<Buffer> {
  const invalid = (problem: string, cause?: unknown) => {
    const error = new CallError('E_REQUEST_INVALID', `the body's iterable ${problem}`, { field: 'body' });
    error.cause = cause;
    return error;
  };
  const chunks = (() => {
    try {
      return iterable[Symbol.asyncIterator]();
    } catch (thrown) {
      throw invalid(`cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`, thrown);
    }
  })();
  try {
    for (;;) {
      const next = await chunks.next().catch((thrown: unknown) => {
        throw invalid(`threw: ${thrown instanceof Error ? thrown.message : String(thrown)}`, thrown);
      });
      if (next.done) return;
      const chunk: unknown = next.value;
      if (typeof chunk === 'string') yield Buffer.from(chunk);
      else if (chunk instanceof Uint8Array) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      else throw invalid('must give Uint8Arrays or texts');
    }
  } finally {
    await chunks.return?.().catch(() => {});
  }
}
