/** What pages of HTML say: title, headings, sentences, links, and which of their words matter most. Pure: it is simply done again on a replay. */
import { getElementsByTagName, innerText, removeElement } from 'domutils';
import { parseDocument } from 'htmlparser2';

type Node = Parameters<typeof getElementsByTagName>[1];
export type Page = { url: string; title: string; headings: string[]; words: number; terms: string[]; sentences: string[]; links: string[] };

const UNREAD = ['script', 'style', 'template', 'noscript', 'nav', 'footer'];
const HEADINGS = ['h1', 'h2', 'h3'];
const BLOCKS = ['p', 'li', 'blockquote', 'td', 'dd', 'figcaption'];
const COMMON = new Set(
  `about after also been before between both could does each every from have here into more most must none once only other over said
  same some such than that their them then there these they this those through under until upon very were what when where which while
  whom whose will with without would your`.split(/\s+/),
);

/** `links`: absolute, without fragments, of the same origin as `url`, each once. */
export function readPage(html: string, url: string): Page {
  const document = parseDocument(html);
  const links = elements(document, ['a']).flatMap(({ attribs }) => sameOrigin(attribs.href, url));
  for (const element of elements(document, UNREAD)) removeElement(element);
  const headings = texts(document, HEADINGS);
  const sentences = texts(document, BLOCKS).flatMap((text) => text.split(/(?<=[.!?])\s+/));
  const [title = headings[0] ?? ''] = texts(document, ['title']);
  const words = wordsOf([...headings, ...sentences]).length;
  return { url, title, headings, words, terms: frequentTerms(sentences, 5), sentences, links: [...new Set(links)] };
}

/** The words of at least four letters that occur most, the common ones left out. */
export function frequentTerms(texts: readonly string[], most: number): string[] {
  return [...counts(texts)]
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .slice(0, most)
    .map(([term]) => term);
}

/** The sentences that have most of what all of them are about, in the order in which they stand. */
export function summarise(sentences: readonly string[], most: number): string {
  const weight = counts(sentences);
  const score = (sentence: string) => {
    const terms = wordsOf([sentence]);
    return terms.reduce((sum, term) => sum + (weight.get(term) ?? 0), 0) / Math.max(8, terms.length);
  };
  const best = [...new Set(sentences)].sort((a, b) => score(b) - score(a)).slice(0, most);
  return best.sort((a, b) => sentences.indexOf(a) - sentences.indexOf(b)).join(' ');
}

function elements(root: Node, names: readonly string[]) {
  return getElementsByTagName((name) => names.includes(name), root);
}

/** Of the innermost such elements: the text of a paragraph in a list item is read once. */
function texts(root: Node, names: readonly string[]): string[] {
  return elements(root, names)
    .filter((element) => !elements(element, names).some((inner) => inner !== element))
    .map((element) => innerText(element).replace(/\s+/g, ' ').trim())
    .filter(Boolean);
}

function sameOrigin(href: string | undefined, base: string): string[] {
  if (href === undefined || !URL.canParse(href, base)) return [];
  const url = new URL(href, base);
  url.hash = '';
  return url.origin === new URL(base).origin ? [url.href] : [];
}

function counts(texts: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const word of wordsOf(texts)) if (word.length >= 4 && !COMMON.has(word)) found.set(word, (found.get(word) ?? 0) + 1);
  return found;
}

function wordsOf(texts: readonly string[]): string[] {
  return texts.flatMap((text) => text.toLowerCase().match(/\p{L}[\p{L}\p{N}’'-]*/gu) ?? []);
}
