/**
 * What DynamoDB charges for a write, indexes included: the rules of "Read/write capacity" and "Provisioned throughput considerations
 * for global secondary indexes" in AWS's developer guide. The emulator does not compute the indexes' part. Pure.
 */

type Value = { S?: string; N?: string; B?: string; BOOL?: boolean };
export type Item = Record<string, Value>;

export type Index = { partition: string; sort: string; projects: 'keys' | readonly string[] };
export type Table = { keys: readonly string[]; indexes: readonly Index[] };

/** Write units of the table and of its indexes, read units. */
export type Units = { table: number; indexes: number; reads: number };

/** On-demand, us-east-1, USD per million request units (aws.amazon.com/dynamodb/pricing/on-demand, since November 2024). */
const WRITE_USD_PER_MILLION = 0.625;
const READ_USD_PER_MILLION = 0.125;

/** USD for a million times these units. */
export const dollarsPerMillion = ({ table, indexes, reads }: Units): number =>
  (table + indexes) * WRITE_USD_PER_MILLION + reads * READ_USD_PER_MILLION;

/** `after` absent: the condition failed, which costs the table what a write costs and the indexes nothing. */
export function writeUnits(table: Table, before: Item | undefined, after: Item | undefined): Pick<Units, 'table' | 'indexes'> {
  const units = (item: Item | undefined) => (item ? Math.max(1, Math.ceil(sizeOf(item) / 1_024)) : 0);
  if (!after) return { table: Math.max(1, units(before)), indexes: 0 };
  const indexes = table.indexes.reduce(
    (sum, index) => sum + indexUnits(units, projected(table, index, before), projected(table, index, after), index),
    0,
  );
  return { table: Math.max(units(before), units(after)), indexes };
}

function indexUnits(units: (item: Item | undefined) => number, before: Item | undefined, after: Item | undefined, index: Index): number {
  if (before && after) {
    const same = (name: string) => JSON.stringify(before[name]) === JSON.stringify(after[name]);
    // A new key is one write to delete the old entry and one to put the new.
    if (!same(index.partition) || !same(index.sort)) return units(before) + units(after);
    return JSON.stringify(before) === JSON.stringify(after) ? 0 : Math.max(units(before), units(after));
  }
  return units(before) + units(after);
}

/** The item's entry in the index, if it has one. */
function projected(table: Table, index: Index, item: Item | undefined): Item | undefined {
  if (!item?.[index.partition] || !item[index.sort]) return undefined;
  const names = [...table.keys, index.partition, index.sort, ...(index.projects === 'keys' ? [] : index.projects)].sort();
  return Object.fromEntries(names.flatMap((name) => (item[name] ? [[name, item[name]]] : [])));
}

function sizeOf(item: Item): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueSize(value), 0);
}

function valueSize({ S, N, B }: Value): number {
  if (S !== undefined) return Buffer.byteLength(S);
  // About a byte for two digits, and one.
  if (N !== undefined) return Math.ceil(N.replace(/[^\d]/g, '').length / 2) + 1;
  return B === undefined ? 1 : Buffer.from(B, 'base64').length;
}
