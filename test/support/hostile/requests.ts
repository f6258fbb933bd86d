/** Reads HTTP/1.1 requests off a socket's bytes (RFC 9112), as little of it as clients send. Not node:http, which would see to rules that are here to be broken. */

export type Head = { method: string; target: string; headers: Map<string, string> };

type Handlers = {
  head(head: Head): void;
  /** The body's bytes, unchunked. */
  end(head: Head, body: Buffer): void;
};

/** Feed it what comes. Throws on what is not a request. */
export function requestReader(handlers: Handlers): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let head: Head | undefined;
  let chunks: Buffer[] = [];

  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (step());
  };

  function step(): boolean {
    if (head === undefined) {
      const end = rest.indexOf('\r\n\r\n');
      if (end < 0) return false;
      head = parse(rest.subarray(0, end).toString('latin1'));
      rest = rest.subarray(end + 4);
      chunks = [];
      handlers.head(head);
      return true;
    }
    if (head.headers.get('transfer-encoding')?.toLowerCase() === 'chunked') return chunkStep();
    const length = Number(head.headers.get('content-length') ?? 0);
    if (rest.length < length) return false;
    const body = rest.subarray(0, length);
    rest = rest.subarray(length);
    over(body);
    return true;
  }

  function chunkStep(): boolean {
    const line = rest.indexOf('\r\n');
    if (line < 0) return false;
    const size = Number.parseInt(rest.subarray(0, line).toString('latin1'), 16);
    if (!Number.isSafeInteger(size)) throw new Error('not a chunk');
    const end = line + 2 + size;
    if (rest.length < end + 2) return false;
    if (size > 0) chunks.push(rest.subarray(line + 2, end));
    rest = rest.subarray(end + 2);
    if (size === 0) over(Buffer.concat(chunks));
    return true;
  }

  function over(body: Buffer): void {
    const ended = head as Head;
    head = undefined;
    handlers.end(ended, body);
  }
}

function parse(text: string): Head {
  const [first = '', ...lines] = text.split('\r\n');
  const [method = '', target = '', version] = first.split(' ');
  if (version !== 'HTTP/1.1') throw new Error(`not a request: ${first.slice(0, 80)}`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { method, target, headers };
}
