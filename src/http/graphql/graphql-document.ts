/** Which operation of a GraphQL document is meant, and whether it only reads. Reads as much of the language as that takes (GraphQL, October 2021, section 2). */
import { bad } from '../settings.ts';

export type GraphqlOperation = { readonly type: 'query' | 'mutation'; readonly name?: string };

/** Insignificant characters, comments, block strings, strings, names, and anything else one by one. */
const TOKEN = /[\s,\uFEFF]+|#[^\n\r]*|"""(?:\\"""|[^"]|"(?!""))*"""|"(?:\\.|[^"\\\n\r])*"|[_A-Za-z]\w*|./gsuy;
const OPENS = new Set(['{', '(', '[']);
const CLOSES = new Set(['}', ')', ']']);

/** Throws `E_BAD_OPTION` for what cannot be run: no operation, several of which none is named, a subscription, an unclosed one. */
export function operationOf(document: string, operationName: string | undefined, label: string): GraphqlOperation {
  if (typeof document !== 'string') bad(label, 'query', 'must be a GraphQL document, as a text');
  const operations = operationsOf(document, label);
  const names = operations.map(({ name }) => name ?? '(without a name)').join(', ');
  if (operations.length === 0) bad(label, 'query', 'has no operation: a document needs a query or a mutation');
  const meant = operationName === undefined ? operations : operations.filter(({ name }) => name === operationName);
  if (meant.length > 1) bad(label, 'operationName', `must say which of the operations is meant: ${names}`);
  const [operation] = meant;
  if (operation === undefined) return bad(label, 'operationName', `is none of the document's operations: ${names}`);
  const { type, name } = operation;
  if (type === 'subscription') return bad(label, 'query', 'is a subscription, which has no end that a call could wait for');
  return { type, ...(name === undefined ? {} : { name }) };
}

type Found = { type: 'query' | 'mutation' | 'subscription'; name?: string };

function operationsOf(document: string, label: string): Found[] {
  const found: Found[] = [];
  /** `between` definitions, in the `head` of one, or in its selection. Only between them is a name a keyword. */
  let place: 'between' | 'head' | 'body' = 'between';
  let depth = 0;
  let named = false;
  for (const [token] of document.matchAll(TOKEN)) {
    if (/^[\s,#\uFEFF]/.test(token)) continue;
    if (token === '"') bad(label, 'query', 'has a text that is not closed');
    if (place === 'between') {
      if (token === '{') {
        found.push({ type: 'query' });
        place = 'body';
        depth = 1;
      } else if (token === 'query' || token === 'mutation' || token === 'subscription') {
        found.push({ type: token });
        place = 'head';
        named = false;
      } else if (token === 'fragment') {
        place = 'head';
        named = true;
      } else
        bad(
          label,
          'query',
          `is not a GraphQL document of operations and fragments: ${JSON.stringify(token.slice(0, 20))} has no place there`,
        );
      continue;
    }
    if (place === 'head' && depth === 0) {
      const operation = found.at(-1);
      if (!named && operation !== undefined && /^[_A-Za-z]/.test(token)) operation.name = token;
      named = true;
      if (token === '{') place = 'body';
    }
    if (OPENS.has(token)) depth += 1;
    if (CLOSES.has(token)) depth -= 1;
    if (place === 'body' && depth === 0) place = 'between';
  }
  if (place !== 'between') bad(label, 'query', 'ends in the middle: a bracket or a quotation mark is not closed');
  return found;
}
