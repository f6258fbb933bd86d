/** Reads a `Link` header (RFC 8288, section 3 and appendix B.2). Knows nothing of what its links are for. */

export type Link = { readonly target: string; readonly rel: readonly string[] };

const BLANK = /[\t ]/;

/** Links of the reply's own context, in order; what is not well-formed ends the list. Linear in the header's length. */
export function readLinks(header: string): Link[] {
  const links: Link[] = [];
  let at = 0;
  const skip = (chars: RegExp) => {
    while (at < header.length && chars.test(header[at] as string)) at++;
  };
  for (;;) {
    skip(/[\t ,]/);
    if (header[at] !== '<') return links;
    const end = header.indexOf('>', at);
    if (end < 0) return links;
    const target = header.slice(at + 1, end).trim();
    at = end + 1;
    const params = new Map<string, string>();
    for (skip(BLANK); header[at] === ';'; skip(BLANK)) {
      at++;
      skip(BLANK);
      const name = until(/[\t ;,=]/).toLowerCase();
      skip(BLANK);
      let value = '';
      if (header[at] === '=') {
        at++;
        skip(BLANK);
        value = header[at] === '"' ? quoted() : until(/[\t ;,]/);
      }
      // Of a parameter given twice the first counts (section 3.3).
      if (name !== '' && !params.has(name)) params.set(name, value);
    }
    // What stands between a parameter and the next comma belongs to no grammar.
    until(/,/);
    // With an anchor it is a link of something else.
    if (params.has('anchor')) continue;
    links.push({ target, rel: (params.get('rel') ?? '').toLowerCase().split(/\s+/).filter(Boolean) });
  }

  function until(stop: RegExp): string {
    const from = at;
    while (at < header.length && !stop.test(header[at] as string)) at++;
    return header.slice(from, at);
  }

  function quoted(): string {
    let text = '';
    for (at++; at < header.length && header[at] !== '"'; at++) {
      if (header[at] === '\\' && at + 1 < header.length) at++;
      text += header[at];
    }
    at++;
    return text;
  }
}
