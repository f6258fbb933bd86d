import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readLinks } from '../../src/http/paging/link-header.ts';

const next = (header: string) => readLinks(header).find(({ rel }) => rel.includes('next'))?.target;

/** RFC 8288, section 3.5, and what real APIs send. */
it.each([
  ['<https://api.github.com/x?page=2>; rel="next", <https://api.github.com/x?page=9>; rel="last"', 'https://api.github.com/x?page=2'],
  ['<https://a.example/x?page=1>; rel="prev", </x?page=3>; rel="next"', '/x?page=3'],
  ['<?page=2>; rel=next', '?page=2'],
  ['</a,b;c?x=1,2>; rel="next"', '/a,b;c?x=1,2'],
  [
    '</TheBook/chapter2>; rel="previous"; title*=UTF-8\'de\'letztes%20Kapitel, </TheBook/chapter4>; rel="next"; title*=x',
    '/TheBook/chapter4',
  ],
  ['<http://example.org/>; rel="start http://example.net/relation/other", </n>; rel="prefetch NEXT"', '/n'],
  ['</a>; title="rel=\\"next\\", <b>; rel=next"; rel="last", </c>; rel="next"', '/c'],
  ['</a> ; rel = "next" ; title="x"', '/a'],
  ['</a>;rel=next,</b>;rel=prev', '/a'],
  [',, </a>; rel=next', '/a'],
  ['</a>; rel=last; rel=next', undefined],
  ['</a>; rel="next"; anchor="#other"', undefined],
  ['</a>; rel="nextish"', undefined],
  ['</a>; foo; rel=next', '/a'],
  ['</a>; rel="next', '/a'],
  ['</a', undefined],
  ['/a; rel=next', undefined],
  ['', undefined],
])('of %s the next link is %s', (header, target) => {
  expect(next(header)).toBe(target);
});

it('reads anything without a throw, in time that does not run away', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('<', '>', ';', ',', '"', '\\', '=', ' ', 'rel', 'next', 'a'), maxLength: 60 }),
      (text) => readLinks(text).length >= 0,
    ),
  );
  expect(readLinks(`</a>${';x="'.repeat(20_000)}`)).toHaveLength(1);
  expect(readLinks('</a>; rel=next,'.repeat(20_000))).toHaveLength(20_000);
});
