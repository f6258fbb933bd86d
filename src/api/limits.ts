/** How long a URL and how large headers may be. API Gateway is stricter with both; other senders are not API Gateway. */
import { Problem } from './problem.ts';
import type { ApiRequest } from './request.ts';

const MAX_URL_BYTES = 8 * 1024;
/** API Gateway takes 10 KB from a client, and adds headers of its own. */
const MAX_HEADER_BYTES = 32 * 1024;

/** Throws `E_URL_TOO_LONG` or `E_HEADERS_TOO_LARGE`. */
export function checkLimits({ path, query, headerBytes }: ApiRequest): void {
  let url = Buffer.byteLength(path);
  for (const [name, values] of query) for (const value of values) url += Buffer.byteLength(name) + Buffer.byteLength(value) + 2;
  if (url > MAX_URL_BYTES) throw new Problem('E_URL_TOO_LONG', `path and query have ${url} bytes, more than ${MAX_URL_BYTES}`);
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new Problem('E_HEADERS_TOO_LARGE', `the headers have ${headerBytes} bytes, more than ${MAX_HEADER_BYTES}`);
  }
}
