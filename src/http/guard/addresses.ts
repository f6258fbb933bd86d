/** How one address can be written as another, and which IPv4 addresses hide in IPv6 ones. Pure; judges nothing. */
import { isIP } from 'node:net';

/** Canonical: `::ffff:10.0.0.1` and `::ffff:a00:1` are 10.0.0.1; a zone is no part of an address. */
export function plainAddress(address: string): string {
  const bare = address.split('%')[0] as string;
  if (isIP(bare) !== 6) return bare;
  const canonical = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  return mapped ? dotted(Number.parseInt(mapped[1] as string, 16), Number.parseInt(mapped[2] as string, 16)) : canonical;
}

/** The IPv4 addresses that a transition mechanism would reach by this canonical IPv6 one: compatible, NAT64, 6to4, Teredo, ISATAP. */
export function embedded(address: string): readonly string[] {
  if (isIP(address) !== 6) return [];
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups(address);
  if (a === 0x2002) return [dotted(b, c)];
  // Server, and the client's own address with every bit turned (RFC 4380, section 4).
  if (a === 0x2001 && b === 0) return [dotted(c, d), dotted(g ^ 0xffff, h ^ 0xffff)];
  if (a === 0x64 && b === 0xff9b) return [dotted(g, h)];
  if ((a | b | c | d | e | f) === 0 && g !== 0) return [dotted(g, h)];
  // RFC 5214, section 6.1: the interface identifier 00-00-5E-FE, or with its universal bit set.
  if ((e === 0 || e === 0x200) && f === 0x5efe) return [dotted(g, h)];
  return [];
}

export const isIsatap = (address: string): boolean => {
  const [, , , , e, f] = isIP(address) === 6 ? groups(address) : [];
  return (e === 0 || e === 0x200) && f === 0x5efe;
};

/** Of an address in the form that URL gives it: at most one `::`, no dots. */
function groups(address: string): number[] {
  const [before = '', after] = address.split('::');
  const numbers = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const head = numbers(before);
  if (after === undefined) return head;
  const tail = numbers(after);
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

const dotted = (high: number, low: number): string => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
