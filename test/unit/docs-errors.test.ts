/** The page of error codes says what the code says. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ERRORS_PAGE, errorsPage } from '../../docs/make-errors.ts';
import { PROBLEMS } from '../../src/api/problem.ts';
import { ERROR_CODES } from '../../src/engine/errors.ts';

test('the committed page of errors is the one that the tables make: run `node docs/make-errors.ts` after a change', () => {
  expect(readFileSync(ERRORS_PAGE, 'utf8')).toBe(errorsPage());
});

test('every code is on the page', () => {
  const page = errorsPage();
  for (const code of [...Object.keys(ERROR_CODES), ...Object.keys(PROBLEMS)]) expect(page).toContain(`\`${code}\``);
});
