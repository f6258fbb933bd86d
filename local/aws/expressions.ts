/**
 * Remembers parsed DynamoDB expressions. dynalite runs its grammar over each of every request, and a program sends the same few
 * with other values: a parse is kept as a template, and filled with the values at hand.
 */
import { createRequire } from 'node:module';

type Value = Record<string, unknown>;
type Context = {
  attrNames?: Record<string, string>;
  attrVals?: Record<string, Value>;
  unusedAttrNames?: Record<string, true>;
  unusedAttrVals?: Record<string, true>;
  isKeyCondition?: boolean;
};
type Parse = (text: string, options: { context: Context }) => unknown;

/** Where a value goes in a template. */
class Slot {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

type Remembered = { template: unknown; names: string[]; values: string[] };

const MOST = 1_000;
/** Their validity depends on values, not on types alone. */
const BY_VALUE = /between|attribute_type/i;

/** A parser like the given one, for expressions whose outcome depends on names and on the types of values only. */
export function remembering(parse: Parse): Parse {
  const known = new Map<string, Remembered>();
  return (text, options) => {
    const { context } = options;
    if (BY_VALUE.test(text)) return parse(text, options);
    const key = keyOf(text, context);
    const found = known.get(key);
    if (found) {
      for (const name of found.names) delete context.unusedAttrNames?.[name];
      for (const value of found.values) delete context.unusedAttrVals?.[value];
      return fill(found.template, context.attrVals ?? {});
    }
    const before = { names: Object.keys(context.unusedAttrNames ?? {}), values: Object.keys(context.unusedAttrVals ?? {}) };
    // An expression at fault throws, and is not remembered.
    const parsed = parse(text, options);
    if (known.size >= MOST) known.clear();
    known.set(key, {
      template: templateOf(parsed, new Map(Object.entries(context.attrVals ?? {}).map(([name, value]) => [value, name]))),
      names: before.names.filter((name) => !(name in (context.unusedAttrNames ?? {}))),
      values: before.values.filter((name) => !(name in (context.unusedAttrVals ?? {}))),
    });
    return parsed;
  };
}

function keyOf(text: string, { attrNames, attrVals, isKeyCondition, unusedAttrNames, unusedAttrVals }: Context): string {
  let key = `${text}\n${isKeyCondition === true}`;
  for (const name in attrNames) key += `\n${name}=${attrNames[name]}${unusedAttrNames?.[name] ? '' : '!'}`;
  for (const name in attrVals) {
    key += `\n${name}${unusedAttrVals?.[name] ? '' : '!'}`;
    for (const type in attrVals[name]) key += `:${type}`;
  }
  return key;
}

function templateOf(parsed: unknown, names: Map<unknown, string>): unknown {
  const name = names.get(parsed);
  if (name !== undefined) return new Slot(name);
  if (Array.isArray(parsed)) return parsed.map((part) => templateOf(part, names));
  if (parsed === null || typeof parsed !== 'object') return parsed;
  return Object.fromEntries(Object.entries(parsed).map(([property, part]) => [property, templateOf(part, names)]));
}

/** Always fresh: dynalite changes what it was given. */
function fill(template: unknown, values: Record<string, Value>): unknown {
  if (template instanceof Slot) return values[template.name];
  if (Array.isArray(template)) return template.map((part) => fill(part, values));
  if (template === null || typeof template !== 'object') return template;
  const filled: Record<string, unknown> = {};
  for (const property in template) filled[property] = fill((template as Record<string, unknown>)[property], values);
  return filled;
}

/** Takes effect for every dynalite of this process. */
export function rememberExpressions(): void {
  const require = createRequire(import.meta.url);
  for (const grammar of ['conditionParser', 'updateParser', 'projectionParser']) {
    const parser = require(`dynalite/db/${grammar}`) as { parse: Parse };
    parser.parse = remembering(parser.parse);
  }
}
