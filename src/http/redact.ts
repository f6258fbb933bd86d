/** Takes a connection's own secrets out of an answer that echoes them, before anything else sees it. */
import type { Answer } from './exchange.ts';
import type { HttpRuntime } from './runtime.ts';

/** Shorter ones would be found in innocent texts. */
const SHORTEST = 8;

/** Changes `answer` in place. The mark carries a keyed fingerprint, so that people can see whether two are the same. */
export async function scrub(answer: Answer, secrets: readonly string[], http: Pick<HttpRuntime, 'sign'>): Promise<void> {
  for (const secret of secrets) {
    if (secret.length < SHORTEST) continue;
    const inBody = answer.body.includes(secret);
    const inHeaders = Object.values(answer.headers).some((value) => value.includes(secret));
    if (!inBody && !inHeaders) continue;
    const mark = `‹redacted:${await fingerprint(secret, http)}›`;
    if (inBody) answer.body = replaceAll(answer.body, Buffer.from(secret), Buffer.from(mark));
    for (const name in answer.headers) {
      // Header values are latin-1: the mark's own quotes would not come back from a Headers object.
      answer.headers[name] = (answer.headers[name] as string).replaceAll(secret, mark.replace('‹', '<').replace('›', '>'));
    }
  }
}

async function fingerprint(secret: string, http: Pick<HttpRuntime, 'sign'>): Promise<string> {
  try {
    return (await http.sign(`redacted ${secret}`)).slice(0, 8);
  } catch {
    return 'secret';
  }
}

function replaceAll(body: Buffer, what: Buffer, by: Buffer): Buffer {
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = body.indexOf(what); at !== -1; at = body.indexOf(what, from)) {
    parts.push(body.subarray(from, at), by);
    from = at + what.length;
  }
  parts.push(body.subarray(from));
  return Buffer.concat(parts);
}
