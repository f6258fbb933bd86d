import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPublic } from '../../src/http/guard/refusal.ts';

const octet = fc.nat({ max: 255 });
const v4 = fc.tuple(octet, octet, octet, octet);
const hex = (high: number, low: number) => ((high << 8) | low).toString(16);

/** The registries, said once more in another way. */
function specialV4([a, b, c]: [number, number, number, number]): boolean {
  return (
    [0, 10, 127].includes(a) ||
    a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && ((b === 0 && (c === 0 || c === 2)) || (b === 88 && c === 99) || b === 168)) ||
    (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) ||
    (a === 203 && b === 0 && c === 113)
  );
}

describe('the address guard', () => {
  it('judges an IPv4 address alike in each of its spellings', () => {
    fc.assert(
      fc.property(v4, (ip) => {
        const [a, b, c, d] = ip;
        const dotted = ip.join('.');
        const open = !specialV4(ip);
        for (const spelling of [dotted, `::ffff:${dotted}`, `::FFFF:${hex(a, b)}:${hex(c, d)}`, `0:0:0:0:0:ffff:${dotted}`]) {
          expect([spelling, isPublic(spelling)]).toEqual([spelling, open]);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('lets no IPv4 address in through a transition mechanism', () => {
    fc.assert(
      fc.property(v4, ([a, b, c, d]) => {
        for (const tunnel of [
          `2002:${hex(a, b)}:${hex(c, d)}::1`,
          `64:ff9b::${hex(a, b)}:${hex(c, d)}`,
          `64:ff9b:1::${hex(a, b)}:${hex(c, d)}`,
          `2001:0:${hex(a, b)}:${hex(c, d)}::1`,
          `::${hex(a, b)}:${hex(c, d)}`,
        ]) {
          expect([tunnel, isPublic(tunnel)]).toEqual([tunnel, false]);
        }
      }),
    );
  });

  it('never throws, and takes no text that is not an address for public', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (!/^[\d.]+$|:/.test(text)) expect(isPublic(text)).toBe(false);
        else isPublic(text);
      }),
    );
  });
});
