/**
 * Where a text holds a secret, however it is spelled there: as it is, in JSON, a URL, a form or HTML, one within another or not.
 * All ways of reading are followed at once and none twice, and the work is bounded: neither text nor secret can make it take long.
 * Texts are bytes as latin-1. Pure.
 */

export type Span = readonly [start: number, end: number];

/** Fewer characters of a secret tell nothing of it, and stand at the end of many a text. */
const FEWEST = 4;
/** Of one character, in bytes. */
export const LONGEST_SPELLING = 40;
/** A spelling that a text ends within. */
const BROKEN_OFF = /^(?:[%&\\][\w#%\\]*|[\x80-\xff]{1,3})$/;
/** By these candidates are found; longer would only be compared twice. */
const LONGEST_PREFIX = 32;
const BACKSLASH = 0x5c;
const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

/** What a reading may cost in all. Honest texts need a fraction of it. */
type Work = { left: number };
class TooMuch extends Error {}
const workFor = (text: string): Work => ({ left: text.length + 1_000_000 });

/** In order, none within another. `undefined`: it cannot be told with little work; such a text is to be shown to nobody. */
export function spelledIn(text: string, secret: string): Span[] | undefined {
  const chars = charsOf(secret);
  const spans: Span[] = [];
  const work = workFor(text);
  try {
    for (let at = 0; ; ) {
      const start = candidate(text, chars, at);
      if (start < 0) return spans;
      const ends = read(text, start, chars, work);
      const end = Math.max(-1, ...ends);
      if (end >= 0) spans.push([start, end]);
      at = end > start ? end : start + 1;
    }
  } catch (thrown) {
    if (thrown instanceof TooMuch) return undefined;
    throw thrown;
  }
}

/** A text that is cut may end within a secret, and within a spelling of one of its characters: where that begins. */
export function cutWithin(body: Buffer, secret: string): number | undefined {
  const chars = charsOf(secret);
  const from = Math.max(0, body.length - chars.length * LONGEST_SPELLING);
  const text = body.toString('latin1', from);
  const work = workFor(text);
  const begun = (positions: readonly number[]) =>
    positions.some((at) => at === text.length || (text.length - at <= LONGEST_SPELLING && BROKEN_OFF.test(text.slice(at))));
  const first = chars.slice(0, FEWEST);
  try {
    for (let start = candidate(text, first, 0); start >= 0; start = candidate(text, first, start + 1)) {
      let found = false;
      read(text, start, chars, work, (read, positions) => {
        found ||= read >= FEWEST && begun(positions);
        return found;
      });
      if (found) return from + start;
    }
    return undefined;
  } catch (thrown) {
    // Rather all of what may be a part of it.
    if (thrown instanceof TooMuch) return from;
    throw thrown;
  }
}

type Char = {
  /** Letters and digits are written alike everywhere. */
  readonly plain: boolean;
  readonly text: string;
  /** As UTF-8, and where there is such a byte as latin-1: as it stood in the request's header. */
  readonly bytes: readonly string[];
  readonly hex: readonly string[];
  readonly units: readonly string[];
  readonly code: number;
};

function charsOf(secret: string): Char[] {
  const known = new Map<string, Char>();
  return Array.from(secret, (text) => {
    let char = known.get(text);
    if (!char) {
      const utf8 = Buffer.from(text);
      const code = text.codePointAt(0) as number;
      char = {
        plain: /[A-Za-z0-9]/.test(text),
        text,
        bytes: [utf8.toString('latin1'), ...(utf8.length > 1 && code < 0x100 ? [text] : [])],
        hex: Array.from(utf8, (byte) => byte.toString(16).padStart(2, '0')),
        units: Array.from({ length: text.length }, (_, at) => text.charCodeAt(at).toString(16).padStart(4, '0')),
        code,
      };
      known.set(text, char);
    }
    return char;
  });
}

/** The next place at or after `from` where it may begin, or −1. */
function candidate(text: string, chars: readonly Char[], from: number): number {
  const end = chars.findIndex(({ plain }) => !plain);
  const plain = end < 0 ? chars : chars.slice(0, end);
  if (plain.length > 0)
    return text.indexOf(
      plain
        .slice(0, LONGEST_PREFIX)
        .map((char) => char.text)
        .join(''),
      from,
    );
  const firsts = new Set(['\\', '%', '&', '+', ...(chars[0]?.bytes ?? []).map((bytes) => bytes[0])]);
  for (let at = from; at < text.length; at++) if (firsts.has(text[at] as string)) return at;
  return -1;
}

/** Where readings of all of it end that begin at `start`. `after`: told of each character that was read; true: no need to go on. */
function read(
  text: string,
  start: number,
  chars: readonly Char[],
  work: Work,
  after?: (read: number, positions: readonly number[]) => boolean,
): readonly number[] {
  let positions: readonly number[] = [start];
  for (const [index, char] of chars.entries()) {
    work.left -= positions.length;
    if (work.left < 0) throw new TooMuch();
    if (char.plain) {
      const code = char.code;
      positions = positions.filter((at) => text.charCodeAt(at) === code).map((at) => at + 1);
    } else {
      const next = new Set<number>();
      for (const at of positions) for (const end of spellings(text, at, char)) next.add(end);
      work.left -= next.size;
      positions = [...next];
    }
    if (positions.length === 0 || after?.(index + 1, positions)) break;
  }
  return positions;
}

/** Where spellings of one character end that begin at `at`. */
function spellings(text: string, at: number, { text: char, bytes, hex, units, code }: Char): number[] {
  const ends: number[] = [];
  const escapes = backslashes(text, at);
  // As it is, or behind what escapes it.
  for (let count = 0; count <= escapes; count++)
    for (const plain of bytes) if (text.startsWith(plain, at + count)) ends.push(at + count + plain.length);
  switch (text[at]) {
    case '\\': {
      let from = at;
      for (const unit of units) {
        const count = from < 0 ? 0 : backslashes(text, from);
        const end = from + count + 5;
        from = count > 0 && text.slice(from + count, end).toLowerCase() === `u${unit}` ? end : -1;
      }
      if (from >= 0) ends.push(from);
      break;
    }
    case '%': {
      let froms = [at];
      for (const byte of hex)
        froms = froms.flatMap((from) =>
          text[from] !== '%'
            ? []
            : ['', '25', '2525', '252525']
                .filter((again) => text.slice(from + 1, from + 3 + again.length).toLowerCase() === again + byte)
                .map((again) => from + 3 + again.length),
        );
      ends.push(...froms);
      break;
    }
    case '&': {
      const entity = ENTITIES[char];
      if (entity !== undefined && text.startsWith(entity, at)) ends.push(at + entity.length);
      const [whole, decimal, other] = /^&#(?:(\d{1,20})|[xX]([\da-fA-F]{1,20}));/.exec(text.slice(at, at + LONGEST_SPELLING)) ?? [];
      if (whole !== undefined && (decimal === undefined ? Number.parseInt(other as string, 16) : Number(decimal)) === code)
        ends.push(at + whole.length);
      break;
    }
    case '+':
      if (char === ' ') ends.push(at + 1);
  }
  return ends;
}

/** How many stand there, seven at most: JSON within JSON, three deep. */
function backslashes(text: string, at: number): number {
  let count = 0;
  while (count < 7 && text.charCodeAt(at + count) === BACKSLASH) count += 1;
  return count;
}
