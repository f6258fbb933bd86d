/** What docs/upgrades.md says may change under a run may, and what it says needs a new version is found out. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { step } from '../../src/engine/step.ts';
import { log, map, sleep } from '../../src/engine/verbs.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { buildCall } from '../../src/http/call.ts';
import { makeCore } from '../../src/http/core.ts';
import { callOperation } from '../../src/http/operation.ts';
import type { BodyOptions, ConnectionOptions } from '../../src/http/options.ts';
import { createRig, type Rig } from '../support/engine/rig.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs/upgrades.md'), 'utf8');
const [, section = ''] = page.split('## What may change without a new version\n');
const rows = new Map(
  [...(section.split('\n## ')[0] ?? '').matchAll(/^\| (.+?) \| (free|new version|never.*?) \|$/gm)].map(
    ([, change = '', verdict = '']) => [change, verdict] as const,
  ),
);

type Program = (rig: Rig) => Promise<unknown>;
type Change = { from: Program; to: Program };

const original: Program = async (r) => {
  const a = await r.call('a');
  await step('note', async () => 'noted', { idempotent: true });
  await map([1, 2, 3, 4], (n) => r.call(`item ${n}`), { concurrency: 2 });
  const b = await r.call('b', 'keyed');
  await sleep('1 day');
  return [a, b];
};
const like = (change: { before?: Program; step?: Program; items?: Program; sleep?: Program; after?: Program }): Change => ({
  from: original,
  to: async (r) => {
    const a = await r.call('a');
    await change.before?.(r);
    await (change.step?.(r) ?? step('note', async () => 'noted', { idempotent: true }));
    await (change.items?.(r) ?? map([1, 2, 3, 4], (n) => r.call(`item ${n}`), { concurrency: 2 }));
    const b = await r.call('b', 'keyed');
    await (change.sleep?.(r) ?? sleep('1 day'));
    await change.after?.(r);
    return [a, b];
  },
});
const inARow: Program = async (r) => {
  await r.call('a');
  await r.call('b');
  await sleep('1 day');
};
const atOnce: Program = async (r) => {
  await Promise.all([r.call('a'), r.call('b')]);
  await sleep('1 day');
};

const PROGRAMS: Record<string, Change[]> = {
  'what is computed between operations, what is logged, what is returned': [
    like({ before: async () => log.info('new'), after: async () => 1 + 1 }),
    { from: original, to: async (r) => ({ other: await original(r) }) },
  ],
  'which file, function or class the code is in': [
    {
      from: original,
      to: (r) =>
        new (class {
          run = () => original(r);
        })().run(),
    },
  ],
  'operations after everything that any run has done so far': [like({ after: (r) => r.call('later', 'unsafe') })],
  'code between two operations that is slower, up to 10 s': [like({ before: (r) => r.delay(9_000) })],
  'what a step does, its `attempts`, its `timeout`': [
    like({ step: () => step('note', async () => 'something else', { idempotent: true, attempts: 2, timeout: '3s' }) }),
  ],
  'the order in which operations are issued': [
    { from: atOnce, to: async (r) => Promise.all([r.call('b'), r.call('a')]).then(() => sleep('1 day')) },
  ],
  'an operation more or less before the place where a run may be': [
    like({ before: (r) => r.call('more') }),
    like({ step: async () => 'less' }),
  ],
  'one after the other made into `Promise.all`, or back': [
    { from: inARow, to: atOnce },
    { from: atOnce, to: inARow },
  ],
  'the name of a step, the length of a sleep': [
    like({ step: () => step('a note', async () => 'noted', { idempotent: true }) }),
    like({ sleep: () => sleep('2 days') }),
  ],
  'the items of a `map`, their order, its `concurrency`': [
    like({ items: (r) => map([1, 2, 3], (n) => r.call(`item ${n}`), { concurrency: 2 }) }),
    like({ items: (r) => map([2, 1, 3, 4], (n) => r.call(`item ${n}`), { concurrency: 2 }) }),
    like({ items: (r) => map([1, 2, 3, 4], (n) => r.call(`item ${n}`), { concurrency: 4 }) }),
  ],
  // What follows from a reply that is an error now: here, that nothing does.
  'a `schema` that refuses replies which it took before': [
    {
      from: original,
      to: async (r) => {
        await r.call('a');
        throw new Error('the reply does not satisfy the schema');
      },
    },
  ],
};

/** A run that sleeps, and code that changes under it. */
async function deployed({ from, to }: Change) {
  let program = from;
  let rig: Rig;
  const definition = workflow({ name: 'w', run: async () => program(rig) });
  rig = createRig({ workflows: [definition] });
  await rig.invoke([rig.message('w')]);
  expect(rig.record('w').status).toBe('waiting');
  program = to;
  return rig.wakeToEnd('w');
}

type Made = { connection?: Partial<ConnectionOptions>; account?: string; method?: string; path?: string; options?: BodyOptions };

const identityOf = ({ connection = {}, account, method = 'POST', path = '/messages', options = {} }: Made): string => {
  const core = makeCore({ name: 'mailer', baseUrl: 'https://api.mailer.example', ...connection });
  const whose = account === undefined ? core : { ...core, account, id: `${core.name}@${account}` };
  return callOperation(buildCall(whose, method, path, { json: { to: 'a' }, ...options })).identity;
};

const CALLS: Record<string, Made[]> = {
  '`timeout`, `retry`, `onUnknown`, `headers`, `label` of a call or its connection': [
    { options: { timeout: '3s' } },
    { options: { retry: { attempts: 2 } } },
    { options: { onUnknown: 'throw' } },
    { options: { headers: { 'x-a': 'b' } } },
    { options: { label: 'welcome' } },
    { connection: { timeout: '3s', retry: { attempts: 2 }, onUnknown: 'throw', headers: { 'x-a': 'b' } } },
  ],
  '`baseUrl`, `auth` and secrets of a connection': [{ connection: { baseUrl: 'https://eu.mailer.example/v2' } }],
  'method, path, query or body of a call': [
    { method: 'PUT' },
    { path: '/mails' },
    { options: { query: { dry: true } } },
    { options: { json: { to: 'b' } } },
  ],
  'the `name` of a connection, the account in `.for(account)`, the `key` of a call': [
    { connection: { name: 'post' } },
    { account: 'acme' },
    { options: { key: 'second' } },
  ],
};

describe.each([...rows].filter(([, verdict]) => !verdict.startsWith('never')))('%s: %s', (change, verdict) => {
  test.each((PROGRAMS[change] ?? []).map((one, n) => [n + 1, one] as const))('as a program, %i', async (_, one) => {
    const { status, reason } = await deployed(one);
    expect([status, reason?.code]).toEqual(verdict === 'free' ? ['succeeded', undefined] : ['paused', 'E_DIVERGED']);
  });

  test.each((CALLS[change] ?? []).map((made, n) => [n + 1, made] as const))('as a call, %i', (_, made) => {
    expect(identityOf(made) === identityOf({})).toBe(verdict === 'free');
  });
});

test('every row of the table is tried out', () => {
  const tried = [...Object.keys(PROGRAMS), ...Object.keys(CALLS)];
  expect([...rows].filter(([, verdict]) => !verdict.startsWith('never')).map(([change]) => change)).toEqual(expect.arrayContaining(tried));
  expect(tried).toHaveLength(rows.size - 1);
});
