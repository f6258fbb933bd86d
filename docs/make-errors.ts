/**
 * Makes docs/errors.md from the two tables of error codes, so that the page cannot say anything else than the code does.
 * `node docs/make-errors.ts` writes it; a test holds the committed page against `errorsPage()`.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROBLEMS } from '../src/api/problem.ts';
import { ERROR_CODES } from '../src/engine/errors.ts';

export const ERRORS_PAGE = join(import.meta.dirname, 'errors.md');

export function errorsPage(): string {
  return `<!-- Made by \`node docs/make-errors.ts\` from src/engine/errors.ts and src/api/problem.ts. Do not edit. -->

# Errors

Every error carries a code, a sentence that says what to do, and where there is one its \`cause\`. The codes are stable; the sentences are not.

## Codes of runs and calls

What user code catches (\`error.code\`), what a failed or paused run shows (\`error.code\`, \`reason.code\`), and why a message became a dead letter.

${table(
  ['code', 'what it means, and what to do'],
  sorted(ERROR_CODES).map(([code, text]) => [`\`${code}\``, text]),
)}

## Problems of the HTTP API

Answers of type \`application/problem+json\` (RFC 9457). \`type\` is \`urn:holdfast:error:\` and the code; \`detail\` says what is particular;
\`errors\` names the fields at fault, each by a JSON \`pointer\` into the body, a query \`parameter\` or a \`header\`.

${table(
  ['status', 'code', 'title'],
  sorted(PROBLEMS).map(([code, { status, title }]) => [String(status), `\`${code}\``, title]),
)}
`;
}

function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function sorted<T>(entries: Readonly<Record<string, T>>): Array<[string, T]> {
  return Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1));
}

if (import.meta.main) writeFileSync(ERRORS_PAGE, errorsPage());
