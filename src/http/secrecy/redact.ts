/** Takes a connection's own secrets out of an answer that echoes them, before anything else sees it. */

import type { Filter } from '../bodies/spill.ts';
import type { Answer, WireEvent } from '../exchange.ts';
import type { HttpRuntime } from '../runtime.ts';
import { cutWithin, LONGEST_SPELLING, spelledIn } from './spellings.ts';

/** Shorter ones would be found in innocent texts. */
const SHORTEST = 8;

/**
 * Changes `event` in place; `undefined`: there was nothing to change. The mark carries a keyed fingerprint, so that people can see
 * whether two are the same.
 */
export function scrub(event: WireEvent | Answer, secrets: readonly string[], http: Pick<HttpRuntime, 'sign'>): Promise<void> | undefined {
  const answer = event.phase === 'answered' ? event : undefined;
  const hops = ('hops' in event && event.hops) || [];
  if (!answer && hops.length === 0) return undefined;
  return coresOf(secrets).some((core) => mayHold(event, core)) ? scrubAll(event, secrets, http) : undefined;
}

/** Attempts with the same credential have the same list. */
const cores = new WeakMap<readonly string[], readonly string[]>();

function coresOf(secrets: readonly string[]): readonly string[] {
  let known = cores.get(secrets);
  if (known === undefined) {
    known = secrets.filter(({ length }) => length >= SHORTEST).map(longestPlain);
    cores.set(secrets, known);
  }
  return known;
}

/** Most answers hold nothing of the kind: told cheaply, and of every answer. */
function mayHold(event: WireEvent | Answer, core: string): boolean {
  if ('hops' in event && event.hops?.some(({ to }) => to.includes(core))) return true;
  if (event.phase !== 'answered') return false;
  // One that is cut may end within the secret.
  if (event.truncated || event.body.includes(core) || event.url?.includes(core)) return true;
  for (const name in event.headers) if ((event.headers[name] as string).includes(core)) return true;
  return false;
}

async function scrubAll(event: WireEvent | Answer, secrets: readonly string[], http: Pick<HttpRuntime, 'sign'>): Promise<void> {
  const answer = event.phase === 'answered' ? event : undefined;
  const hops = ('hops' in event && event.hops) || [];
  if (!answer && hops.length === 0) return;
  for (const secret of secrets) {
    if (secret.length < SHORTEST) continue;
    const core = longestPlain(secret);
    const cut = answer?.truncated === true ? cutWithin(answer.body, secret) : undefined;
    const inBody = answer?.body.includes(core) === true;
    const urls = [...hops.map(({ to }) => to), answer?.url ?? ''];
    if (cut === undefined && !inBody && ![...urls, ...Object.values(answer?.headers ?? {})].some((value) => value.includes(core))) continue;
    const mark = `redacted:${await fingerprint(secret, http)}`;
    for (const hop of hops) hop.to = without(hop.to, secret, mark);
    if (!answer) continue;
    if (answer.url !== undefined) answer.url = without(answer.url, secret, mark);
    const inBytes = Buffer.from(`‹${mark}›`).toString('latin1');
    if (cut !== undefined) answer.body = Buffer.concat([answer.body.subarray(0, cut), Buffer.from(inBytes, 'latin1')]);
    if (inBody) answer.body = Buffer.from(without(answer.body.toString('latin1'), secret, inBytes), 'latin1');
    for (const name in answer.headers) {
      // Header values are latin-1: the mark's own quotes would not come back from a Headers object.
      answer.headers[name] = without(answer.headers[name] as string, secret, `<${mark}>`);
    }
  }
}

function without(text: string, secret: string, mark: string): string {
  const spans = spelledIn(text, secret);
  // Nobody writes such a text but to hide what is in it.
  if (spans === undefined) return mark;
  let shown = '';
  let from = 0;
  for (const [start, end] of spans) {
    shown += text.slice(from, start) + mark;
    from = end;
  }
  return from === 0 ? text : shown + text.slice(from);
}

/** The same for a body that is never in memory as a whole. `undefined`: there is nothing to look for. */
export function scrubber(secrets: readonly string[], http: Pick<HttpRuntime, 'sign'>): Filter | undefined {
  const longest = Math.max(0, ...secrets.map(({ length }) => length));
  if (longest < SHORTEST) return undefined;
  return {
    overlap: longest * LONGEST_SPELLING,
    async clean(bytes, cut) {
      const part: Answer = { phase: 'answered', status: 0, headers: {}, body: bytes, truncated: cut };
      await scrub(part, secrets, http);
      return part.body;
    },
  };
}

async function fingerprint(secret: string, http: Pick<HttpRuntime, 'sign'>): Promise<string> {
  try {
    return (await http.sign(`redacted ${secret}`)).slice(0, 8);
  } catch {
    return 'secret';
  }
}

/** Letters and digits are written alike everywhere: what does not hold these holds no spelling of the secret. Cheap, for every answer. */
function longestPlain(secret: string): string {
  return (secret.match(/[A-Za-z0-9]+/g) ?? []).reduce((longest, run) => (run.length > longest.length ? run : longest), '');
}
