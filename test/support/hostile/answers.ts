/** Answers as bytes. Writes heads and bodies in any framing, right and wrong; decides nothing. */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import type { Context, Step } from './fate.ts';

export type HeaderList = ReadonlyArray<readonly [name: string, value: string]>;

export function head(status: number, headers: HeaderList): string {
  return `HTTP/1.1 ${status} Whatever\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

/** IMF-fixdate of the server's own clock. */
export const dateOf = ({ now, skew }: Context): string => new Date(now + skew).toUTCString();

/** A whole answer of known length; the socket stays open. */
export function whole(context: Context, status: number, headers: HeaderList = [], body: string | Buffer = context.body): Step[] {
  const empty = status === 204 || status === 304;
  const bytes = Buffer.from(empty ? '' : body);
  const lines: HeaderList = [
    ['Date', dateOf(context)],
    ...(empty
      ? []
      : ([
          ['Content-Type', 'application/json'],
          ['Content-Length', String(bytes.length)],
        ] as const)),
    ...headers,
  ];
  return [{ send: Buffer.concat([Buffer.from(head(status, lines), 'latin1'), bytes]) }];
}

export function chunked(context: Context, headers: HeaderList, pieces: readonly string[], end = '0\r\n\r\n'): Step[] {
  const lines: HeaderList = [['Date', dateOf(context)], ['content-type', 'application/json'], ['Transfer-Encoding', 'chunked'], ...headers];
  const chunks = pieces.map((piece) => `${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`);
  return [{ send: head(200, lines) }, ...chunks.map((send) => ({ send })), ...(end === '' ? [] : [{ send: end }])];
}

const CODERS = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync } as const;
export type Coding = keyof typeof CODERS;

export function packed(
  context: Context,
  coding: Coding,
  change: (bytes: Buffer) => Buffer = (bytes) => bytes,
  text = context.body,
): Step[] {
  return whole(context, 200, [['Content-Encoding', coding]], change(CODERS[coding](text)));
}

const bombs = new Map<Coding, Buffer>();
/** 40 MB of nothing, packed. */
export function bomb(context: Context, coding: Coding): Step[] {
  const known = bombs.get(coding) ?? CODERS[coding](Buffer.alloc(40_000_000));
  bombs.set(coding, known);
  return whole(context, 200, [['Content-Encoding', coding]], known);
}
