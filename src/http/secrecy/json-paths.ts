/**
 * Places in a JSON body, as `encrypt` names them: `token`, `items[*].iban`, `accounts.*.secret`, `$` for all of it.
 * Where they are in a text is json-ranges.ts.
 */
import { bad } from '../settings.ts';

/** Steps from the root; `*`: every member or element. Empty: the whole body. */
export type JsonPath = readonly string[];

const STEP = /^(?:\*|[^\s.[\]*$"'\\]+)(?:\[\*\])*$/;

/** Throws `E_BAD_OPTION`. */
export function jsonPathsOf(paths: unknown, where: string, field: string): readonly JsonPath[] {
  if (!Array.isArray(paths)) bad(where, field, "must be a list of paths such as ['access_token', 'items[*].iban']");
  return (paths as unknown[]).map((path, index) => parsePath(path, where, `${field}[${index}]`));
}

function parsePath(path: unknown, where: string, field: string): JsonPath {
  if (path === '$') return [];
  const steps =
    typeof path === 'string'
      ? path
          .replace(/^\$(?:\.|(?=\[))/, '')
          .replace(/^\[\*\]/, '*')
          .split('.')
      : [];
  if (steps.length === 0 || !steps.every((step) => STEP.test(step))) {
    bad(
      where,
      field,
      `must be '$', or names joined by dots with [*] for every element and * for every member, not ${JSON.stringify(path)}`,
    );
  }
  return steps.flatMap((step) => step.replaceAll('[*]', '.*').split('.'));
}
