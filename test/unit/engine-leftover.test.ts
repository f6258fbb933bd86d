/** What redrives that died or lost leave behind is no part of any journal. */
import { expect, test } from 'vitest';
import { redriveRun } from '../../src/engine/operate.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { noise } from '../support/engine/durable.ts';
import { operatorOf } from '../support/engine/operator.ts';
import { done, failed, NEVER } from '../support/engine/rig.ts';
import { rigOf } from '../support/engine/scenario.ts';

function failing() {
  const api = { mended: false };
  const rig = rigOf(async (r) => {
    const early = await r.call('early', 'safe', { answer: () => (api.mended ? done('early') : failed('early')) }).catch(() => 'no');
    const read: unknown[] = [];
    for (let i = 0; i < 4; i++) read.push(await r.call(`read ${i}`, 'safe', { answer: () => done(noise(3_000, `${i}`)) }));
    await sleep('1 day');
    const last = await r.call('last', 'safe', { answer: () => (api.mended ? done('last') : failed('last')) });
    await sleep('1 day');
    await r.call('pay', 'unsafe');
    return [early, read.length, last];
  });
  return { api, rig };
}

/** Puts the segments and dies. */
async function redriveAndDie(rig: ReturnType<typeof failing>['rig'], from?: number): Promise<void> {
  const { store, payloads, wake, clock, entropy } = rig;
  let died = false;
  const replace = () => {
    died = true;
    return NEVER;
  };
  const dying = { ...store, replace };
  void redriveRun({ store: dying, payloads, wake, clock, entropy }, rig.record('w'), from === undefined ? {} : { from }, {});
  await rig.settle(() => died);
  expect(died).toBe(true);
}

test('a redrive that died half-way does not keep another from going on elsewhere', async () => {
  const { api, rig } = failing();
  await rig.runToEnd('w');
  expect(rig.record('w')).toMatchObject({ status: 'failed', spilled: true });
  const last = rig.journal('w').findLastIndex(({ k }) => k === 'fail');
  await redriveAndDie(rig, last);
  api.mended = true;
  const early = rig.journal('w').findIndex(({ k }) => k === 'fail');
  await operatorOf(rig).redrive(early);
  const record = await rig.wakeToEnd('w');
  expect(record.status, JSON.stringify(record.reason ?? record.outcome)).toBe('succeeded');
  expect(rig.value('w')).toEqual(['early', 4, 'last']);
  expect(rig.sends('pay')).toBe(1);
});

test('nor where both need segments', async () => {
  const { api, rig } = failing();
  await rig.runToEnd('w');
  const [last] = rig
    .journal('w')
    .flatMap(({ k }, seq) => (k === 'fail' ? [seq] : []))
    .slice(-1);
  await redriveAndDie(rig, last);
  api.mended = true;
  // By default: another cut, since its own entry counts.
  await operatorOf(rig).redrive();
  expect((await rig.wakeToEnd('w')).status).toBe('succeeded');
  expect(rig.sends('pay')).toBe(1);
});

test('a redrive that put its segments after another had won leaves that one alone', async () => {
  const { api, rig } = failing();
  await rig.runToEnd('w');
  const fails = rig.journal('w').flatMap(({ k }, seq) => (k === 'fail' ? [seq] : []));
  api.mended = true;
  const { store, payloads, wake, clock, entropy } = rig;
  const failedRun = rig.record('w');
  const won = new Promise<void>((next) => {
    const append = async (...args: Parameters<typeof store.append>) => {
      await operatorOf(rig).redrive(fails[0]);
      next();
      return store.append(...args);
    };
    const slow = { ...store, append };
    void redriveRun({ store: slow, payloads, wake, clock, entropy }, failedRun, { from: fails.at(-1) as number }, {}).catch(() => {});
  });
  await won;
  const record = await rig.wakeToEnd('w');
  expect(record.status, JSON.stringify(record.reason ?? record.outcome)).toBe('succeeded');
  expect(rig.sends('pay')).toBe(1);
});
