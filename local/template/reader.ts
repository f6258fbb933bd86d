/** Reads the resolved properties of one resource with their types; a fault names resource and property. */
import { LocalError } from '../errors.ts';
import type { Lookup, Properties, Resource, Value } from './intrinsics.ts';

export type Reader = ReturnType<typeof reader>;

export function reader(id: string, resource: Resource, resolve: (value: Value | undefined, where: string) => Value, names: Lookup) {
  const where = (property: string) => `${id}.${property}`;
  const fail = (property: string, what: string): never => {
    throw new LocalError('E_TEMPLATE', `${where(property)} ${what} (${resource.Type})`);
  };
  const value = (property: string): Value | undefined =>
    resource.Properties?.[property] === undefined ? undefined : resolve(resource.Properties[property], where(property));

  return {
    where,
    fail,
    value,
    ref: names.ref(id, resource) ?? id,
    attribute: (name: string): string => names.attribute(id, resource, name) ?? fail(name, 'has no value here'),
    string(property: string): string {
      const found = value(property);
      return typeof found === 'string' ? found : fail(property, 'must be a string');
    },
    number(property: string, fallback: number): number {
      const found = value(property) ?? fallback;
      const number = Number(found);
      return Number.isFinite(number) ? number : fail(property, `must be a number, not ${JSON.stringify(found)}`);
    },
    object(property: string): Properties {
      const found = value(property) ?? {};
      return typeof found === 'object' && found !== null && !Array.isArray(found) ? found : fail(property, 'must be an object');
    },
    list(property: string): Value[] {
      const found = value(property) ?? [];
      return Array.isArray(found) ? found : fail(property, 'must be a list');
    },
    /** All of them, resolved, but for those left out; one that is not named is an error. */
    pick(wanted: readonly string[], ignored: readonly string[]): Properties {
      const picked: Properties = {};
      for (const property of Object.keys(resource.Properties ?? {})) {
        if (wanted.includes(property)) picked[property] = value(property) as Value;
        else if (!ignored.includes(property))
          fail(property, 'is not supported by the embedded cloud: leave it out, or teach it in local/template');
      }
      return picked;
    },
  };
}
