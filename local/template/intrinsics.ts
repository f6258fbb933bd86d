/**
 * Resolves CloudFormation's intrinsic functions against the names that resources have here. Lazy: what nobody asks for
 * (roles, policies, alarms) is never resolved. Pure.
 */
import { LocalError } from '../errors.ts';

export type Value = string | number | boolean | null | Value[] | { [key: string]: Value };
export type Properties = Record<string, Value>;
export type Resource = { Type: string; Properties?: Properties; Metadata?: Properties; Condition?: string };
export type Template = {
  Resources: Record<string, Resource>;
  Parameters?: Record<string, { Default?: Value; Type?: string }>;
  Mappings?: Record<string, Record<string, Record<string, Value>>>;
  Conditions?: Record<string, Value>;
};

export type Lookup = {
  pseudo: Record<string, string>;
  /** What `Ref` gives for a resource; undefined when its type is not known. */
  ref(id: string, resource: Resource): string | undefined;
  attribute(id: string, resource: Resource, attribute: string): string | undefined;
};

const NO_VALUE = Symbol('AWS::NoValue');
type Resolved = Value | typeof NO_VALUE;

/** `resolve(value, where)`: `where` names the place for errors, `Worker.Environment` say. */
export function resolver(template: Template, lookup: Lookup): (value: Value | undefined, where: string) => Value {
  const fail = (where: string, what: string): never => {
    throw new LocalError('E_TEMPLATE', `${where}: ${what}; the embedded cloud cannot resolve it (local/template/intrinsics.ts)`);
  };

  function ref(name: string, where: string): Resolved {
    if (name === 'AWS::NoValue') return NO_VALUE;
    const pseudo = lookup.pseudo[name];
    if (pseudo !== undefined) return pseudo;
    const parameter = template.Parameters?.[name];
    if (parameter) return parameter.Default ?? fail(where, `parameter ${name} has no default`);
    const resource = template.Resources[name];
    if (!resource) return fail(where, `Ref to ${name}, which is not in the template`);
    return lookup.ref(name, resource) ?? fail(where, `Ref to ${name} of type ${resource.Type}`);
  }

  function attribute(id: string, name: string, where: string): string {
    const resource = template.Resources[id];
    if (!resource) return fail(where, `Fn::GetAtt of ${id}, which is not in the template`);
    return lookup.attribute(id, resource, name) ?? fail(where, `Fn::GetAtt of ${id}.${name} (${resource.Type})`);
  }

  function condition(value: Value, where: string): boolean {
    if (typeof value === 'string') {
      const named = template.Conditions?.[value];
      return named === undefined ? fail(where, `condition ${value}`) : condition(named, where);
    }
    const [name, argument] = functionOf(value) ?? fail(where, `condition ${JSON.stringify(value)}`);
    const list = Array.isArray(argument) ? argument : [argument];
    if (name === 'Fn::Equals') return text(list[0], where) === text(list[1], where);
    if (name === 'Fn::Not') return !condition(list[0] as Value, where);
    if (name === 'Fn::And') return list.every((part) => condition(part, where));
    if (name === 'Fn::Or') return list.some((part) => condition(part, where));
    if (name === 'Condition') return condition(argument, where);
    return fail(where, `condition function ${name}`);
  }

  const text = (value: Value | undefined, where: string): string => {
    const resolved = resolve(value ?? null, where);
    if (typeof resolved === 'string') return resolved;
    if (typeof resolved === 'number' || typeof resolved === 'boolean') return String(resolved);
    return fail(where, `${JSON.stringify(value)} is not a string`);
  };

  function substitute(argument: Value, where: string): string {
    const [pattern, own] = Array.isArray(argument) ? argument : [argument];
    const variables = (own ?? {}) as Properties;
    return text(pattern, where).replace(/\$\{(!?)([^}]+)\}/g, (whole, literal: string, name: string) => {
      if (literal) return whole.replace('${!', '${');
      if (variables[name] !== undefined) return text(variables[name], where);
      const [id, ...attributes] = name.split('.');
      return attributes.length > 0 ? attribute(id as string, attributes.join('.'), where) : text({ Ref: name }, where);
    });
  }

  function call(name: string, argument: Value, where: string): Resolved {
    const list = Array.isArray(argument) ? argument : [];
    switch (name) {
      case 'Ref':
        return ref(String(argument), where);
      case 'Fn::GetAtt': {
        const [id, ...attributes] = Array.isArray(argument) ? argument.map(String) : String(argument).split('.');
        return attribute(id as string, attributes.join('.'), where);
      }
      case 'Fn::Join':
        return (resolve(list[1] ?? [], where) as Value[]).map((part) => text(part, where)).join(text(list[0], where));
      case 'Fn::Sub':
        return substitute(argument, where);
      case 'Fn::Split':
        return text(list[1], where).split(text(list[0], where));
      case 'Fn::Select':
        return (resolve(list[1] ?? [], where) as Value[])[Number(list[0])] ?? fail(where, `Fn::Select of element ${list[0]}`);
      case 'Fn::If':
        return evaluate((condition(list[0] as Value, where) ? list[1] : list[2]) as Value, where);
      case 'Fn::FindInMap': {
        const [map, first, second] = list.map((part) => text(part, where));
        return template.Mappings?.[map ?? '']?.[first ?? '']?.[second ?? ''] ?? fail(where, `Fn::FindInMap ${JSON.stringify(argument)}`);
      }
      default:
        return fail(where, name);
    }
  }

  function evaluate(value: Value, where: string): Resolved {
    if (Array.isArray(value)) return value.map((part) => evaluate(part, where)).filter((part) => part !== NO_VALUE) as Value[];
    if (value === null || typeof value !== 'object') return value;
    const intrinsic = functionOf(value);
    if (intrinsic) return call(intrinsic[0], intrinsic[1], where);
    const parts = Object.entries(value).map(([key, part]) => [key, evaluate(part, `${where}.${key}`)] as const);
    return Object.fromEntries(parts.filter(([, part]) => part !== NO_VALUE)) as Properties;
  }

  function resolve(value: Value, where: string): Value {
    const resolved = evaluate(value, where);
    return resolved === NO_VALUE ? null : resolved;
  }

  return (value, where) => resolve(value ?? null, where);
}

function functionOf(value: Value): [string, Value] | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
  const [entry, ...others] = Object.entries(value);
  return entry && others.length === 0 && (entry[0] === 'Ref' || entry[0] === 'Condition' || entry[0].startsWith('Fn::'))
    ? entry
    : undefined;
}
