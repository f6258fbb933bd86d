/** An admission change in the words of DynamoDB's UpdateItem. Names are always placeholders: several are reserved words. Pure. */
import type { UpdateItemCommandInput } from '@aws-sdk/client-dynamodb';
import type { AdmissionChange, AdmissionCondition } from '../engine/admission-ports.ts';
import type { Item } from './item-keys.ts';
import { n, s } from './run-item.ts';

type Update = Pick<
  UpdateItemCommandInput,
  'UpdateExpression' | 'ConditionExpression' | 'ExpressionAttributeNames' | 'ExpressionAttributeValues'
>;

/** Nothing in it is empty: DynamoDB refuses an empty expression, and empty names and values. */
export function updateOf({ set, add, remove, when }: AdmissionChange): Update {
  const names: Record<string, string> = {};
  const values: Item = {};
  const placeholders = new Map<string, string>();
  let valueCount = 0;
  const nameOf = (name: string): string => {
    let placeholder = placeholders.get(name);
    if (placeholder === undefined) {
      placeholder = `#${placeholders.size}`;
      placeholders.set(name, placeholder);
      names[placeholder] = name;
    }
    return placeholder;
  };
  const placeholderOf = (value: number | string): string => {
    const placeholder = `:${valueCount++}`;
    values[placeholder] = typeof value === 'number' ? n(value) : s(value);
    return placeholder;
  };
  const conditionOf = (condition: AdmissionCondition): string => {
    const name = nameOf(condition.name);
    if (condition.is === 'absent') return `attribute_not_exists(${name})`;
    const holds = `${name}${condition.is}${placeholderOf(condition.value)}`;
    return condition.orAbsent ? `(attribute_not_exists(${name}) OR ${holds})` : holds;
  };

  const setting = Object.entries(set ?? {}).map(([name, value]) => `${nameOf(name)}=${placeholderOf(value)}`);
  const adding = Object.entries(add ?? {}).map(([name, by]) => `${nameOf(name)} ${placeholderOf(by)}`);
  const removing = (remove ?? []).map(nameOf);
  const update = [clause('SET', setting), clause('ADD', adding), clause('REMOVE', removing)].filter(Boolean).join(' ');
  const condition = (when ?? []).map(conditionOf).join(' AND ');
  return {
    ...(update ? { UpdateExpression: update } : {}),
    ...(condition ? { ConditionExpression: condition } : {}),
    ...(placeholders.size > 0 ? { ExpressionAttributeNames: names } : {}),
    ...(valueCount > 0 ? { ExpressionAttributeValues: values } : {}),
  };
}

const clause = (verb: string, parts: readonly string[]): string => (parts.length > 0 ? `${verb} ${parts.join(',')}` : '');
