/** Takes a connection's own secrets out of an answer that echoes them, before anything else sees it. */
import type { Answer, WireEvent } from './exchange.ts';
import type { HttpRuntime } from './runtime.ts';
import type { Filter } from './spill.ts';

/** Shorter ones would be found in innocent texts. */
const SHORTEST = 8;

/** Changes `event` in place. The mark carries a keyed fingerprint, so that people can see whether two are the same. */
export async function scrub(event: WireEvent | Answer, secrets: readonly string[], http: Pick<HttpRuntime, 'sign'>): Promise<void> {
  const answer = event.phase === 'answered' ? event : undefined;
  const hops = ('hops' in event && event.hops) || [];
  if (!answer && hops.length === 0) return;
  for (const secret of secrets) {
    if (secret.length < SHORTEST) continue;
    const core = longestPlain(secret);
    const cut = answer?.truncated === true && cutWithin(answer.body, secret);
    const inBody = cut !== false || answer?.body.includes(core) === true;
    const urls = [...hops.map(({ to }) => to), answer?.url ?? ''];
    if (!inBody && ![...urls, ...Object.values(answer?.headers ?? {})].some((value) => value.includes(core))) continue;
    const mark = `redacted:${await fingerprint(secret, http)}`;
    const echoed = new RegExp(Array.from(secret, spellings).join(''), 'g');
    for (const hop of hops) hop.to = hop.to.replace(echoed, mark);
    if (!answer) continue;
    if (answer.url !== undefined) answer.url = answer.url.replace(echoed, mark);
    if (cut !== false) answer.body = Buffer.concat([answer.body.subarray(0, cut), Buffer.from(`‹${mark}›`)]);
    if (inBody) answer.body = replaceAll(answer.body, echoed, `‹${mark}›`);
    for (const name in answer.headers) {
      // Header values are latin-1: the mark's own quotes would not come back from a Headers object.
      answer.headers[name] = (answer.headers[name] as string).replace(echoed, `<${mark}>`);
    }
  }
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

/** A body that is cut may end within a secret, and within a spelling of one of its characters: where it begins. */
function cutWithin(body: Buffer, secret: string): number | false {
  const chars = Array.from(secret, spellings);
  const from = Math.max(0, body.length - chars.length * LONGEST_SPELLING);
  const begun = chars.slice(0, FEWEST).join('');
  const more = chars.slice(FEWEST).reduceRight((rest, char) => `(?:${char}${rest})?`, '');
  const found = new RegExp(`${begun}${more}${BROKEN_OFF}?$`).exec(body.toString('latin1', from));
  return found === null ? false : from + found.index;
}

/** Of one character, in bytes. */
const LONGEST_SPELLING = 40;
/** Fewer characters of a secret tell nothing of it, and stand at the end of many a text. */
const FEWEST = 4;
const BROKEN_OFF = '(?:[%&\\\\][\\w#%\\\\]*|[\\x80-\\xff]{1,3})';

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

const ENTITIES: Readonly<Record<string, string>> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' };

/** As writers put a character into plain text, JSON, a URL, a form or HTML, one within another or not. A pattern over bytes as latin-1. */
function spellings(char: string): string {
  if (/[A-Za-z0-9]/.test(char)) return char;
  const code = char.codePointAt(0) as number;
  const bytes = Array.from(Buffer.from(char), (byte) => byte.toString(16).padStart(2, '0'));
  const units = Array.from({ length: char.length }, (_, at) => char.charCodeAt(at).toString(16).padStart(4, '0'));
  const ways = [
    `\\\\{0,7}${bytes.map((byte) => `\\x${byte}`).join('')}`,
    units.map((unit) => `\\\\{1,7}u${anyCase(unit)}`).join(''),
    bytes.map((byte) => `%(?:25){0,3}${anyCase(byte)}`).join(''),
    `&#(?:0*${code}|[xX]0*${anyCase(code.toString(16))});`,
  ];
  if (char in ENTITIES) ways.push(`&${ENTITIES[char]};`);
  if (char === ' ') ways.push('\\+');
  // As it stood in the request's header.
  if (bytes.length > 1 && code < 0x100) ways.push(`\\x${code.toString(16)}`);
  return `(?:${ways.join('|')})`;
}

const anyCase = (hex: string): string => hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);

function replaceAll(body: Buffer, echoed: RegExp, mark: string): Buffer {
  return Buffer.from(body.toString('latin1').replace(echoed, Buffer.from(mark).toString('latin1')), 'latin1');
}
