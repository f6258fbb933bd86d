/**
 * The demo API's state: lowdb's data in memory, and a log of what was created.
 * An effect is in the log before json-server answers it, together with its idempotency key; so both survive `kill -9`.
 */
import { closeSync, mkdirSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Low } from 'lowdb';
import { registerRows } from './register.ts';
import { seedData } from './world.ts';

export type Row = Record<string, unknown>;
type Data = Record<string, Row[]>;

export type State = { db: Low<Data>; rows(collection: string): readonly Row[]; close(): void };

/** `dir`: where to keep the log; without it the state ends with the process. */
export function openState(dir: string | undefined): State {
  const data: Data = { ...seedData(), register: registerRows(), profiles: [] };
  const log = dir === undefined ? undefined : openLog(dir, data);
  const logged = new Map(Object.entries(data).map(([name, rows]) => [name, rows.length]));
  const db = new Low<Data>(
    {
      read: async () => data,
      // Synchronous up to the end of the write: nobody can read a row that is not in the log yet.
      write: async (now) => {
        for (const [name, rows] of Object.entries(now)) {
          for (const row of rows.slice(logged.get(name))) log?.append(name, row);
          logged.set(name, rows.length);
        }
      },
    },
    data,
  );
  return { db, rows: (collection) => data[collection] ?? [], close: () => log?.close() };
}

function openLog(dir: string, into: Data): { append(name: string, row: Row): void; close(): void } {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, 'demo-api.ndjson');
  const fd = openSync(file, 'a+');
  const text = readFileSync(file, 'utf8');
  const whole = text.lastIndexOf('\n') + 1;
  // A torn last line was never answered: it did not happen.
  if (whole < text.length) truncateSync(file, Buffer.byteLength(text.slice(0, whole)));
  for (const line of text.slice(0, whole).split('\n')) {
    if (line === '') continue;
    const [name, row] = JSON.parse(line) as [string, Row];
    into[name]?.push(row);
  }
  return {
    append: (name, row) => void writeSync(fd, `${JSON.stringify([name, row])}\n`),
    close: () => closeSync(fd),
  };
}
