import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { windowAt } from '../../src/admission/record.ts';
import type { AdmissionKey, AdmissionRecord } from '../../src/engine/admission-ports.ts';
import { TOKEN, testApi } from '../support/api.ts';
import { type Served, serveApi } from '../support/api-server.ts';
import { cli } from '../support/cli.ts';

let world: ReturnType<typeof testApi>;
let served: Served;
beforeEach(async () => {
  world = testApi();
  served = await serveApi(world);
});
afterEach(() => served.stop());

const run = (...args: string[]) => cli({ env: { HOLDFAST_URL: served.url, HOLDFAST_TOKEN: TOKEN }, now: () => world.clock.now() })(...args);
const keep = (key: AdmissionKey, set: AdmissionRecord) => world.admission.change(key, { set });
const CRM = { connection: 'crm' };

describe('holdfast connections', () => {
  it('is a table of what goes and what does not, and for how long still', async () => {
    const now = world.clock.now();
    const w = windowAt(now);
    await keep(CRM, { base: now - 1_000, resumeAt: now + 250_000, slow: 500, tat0: now - 700 });
    await keep({ connection: 'billing' }, { breaker: 'open', openUntil: now + 20_000, opens: 2, base: now, [`r${w}`]: 40, [`f${w}`]: 30 });
    const { out, err, code } = await run('connections');
    expect({ err, code }).toEqual({ err: '', code: 0 });
    expect(out).toMatch(/^CONNECTION +STATE +FOR +LAST MINUTE +WAITING +NOTE$/m);
    expect(out).toMatch(/^billing +broken +another 20 s +30 of 40 failed$/m);
    expect(out).toMatch(/^crm +gated +another 4 min 10 s +3$/m);
    expect(out).toMatch(/^shop +open +each account by itself$/m);
  });

  it('with a name tells everything of it, and of its accounts what stops them', async () => {
    const now = world.clock.now();
    const w = windowAt(now);
    await keep(CRM, { base: now - 1_000, resumeAt: now + 7_000, slow: 500, tat0: now - 950, [`r${w}`]: 40, [`f${w}`]: 1, [`t${w}`]: 2 });
    await keep({ ...CRM, account: 'acme' }, { base: now, heldAt: now, heldBy: 'ada', heldWhy: 'they migrate' });
    world.clock.advance(1_000);
    const { out } = await run('connections', 'crm');
    expect(out.split('\n').map((line) => line.trimEnd())).toEqual([
      'crm  gated, another 6 s',
      '  gate       the API said: not before 2026-01-01 00:00:07 UTC',
      '  breaker    closed; 1 of 40 failed in the last minute',
      '  retries    2 of 104 in a window that ends in 9 s',
      '  rate       10 per 1 s: 1 waits, the next goes in 6.4 s',
      '',
      'ACCOUNT  STATE  FOR         LAST MINUTE  WAITING  NOTE',
      'acme     held   1 s so far                        ada: they migrate',
      '',
    ]);
  });

  it.each<[string, AdmissionRecord, RegExp]>([
    [
      'a breaker that is open',
      { breaker: 'open', openUntil: Date.UTC(2026, 0, 1, 0, 1), opens: 3 },
      /open until 2026-01-01 00:01:00 UTC, for the 3rd time in a row$/m,
    ],
    ['one that is tried', { breaker: 'open', openUntil: 0, opens: 1, good: 2 }, /half-open: one call at a time, 2 good so far$/m],
    ['a hold', { heldAt: Date.UTC(2026, 0, 1), heldBy: 'ada', heldWhy: 'x' }, /^ {2}hold +since 2026-01-01 00:00:00 UTC by ada: x$/m],
    [
      'a hold: when the next goes',
      { heldAt: Date.UTC(2026, 0, 1), heldBy: 'ada', heldWhy: 'x' },
      /none waits, nobody knows when the next goes$/m,
    ],
    ['nothing', {}, /^crm {2}open\n {2}breaker +closed\n/],
  ])('tells of %s', async (_what, record, expected) => {
    await keep(CRM, record);
    expect((await run('connections', 'crm')).out).toMatch(expected);
  });

  it('tells calls in flight where they are limited, and one account where it is asked for', async () => {
    const { clock, admission } = world;
    await admission.take({ connection: 'billing' }, { place: 0, owner: 'a', until: clock.now() + 1_000 }, clock.now());
    expect((await run('connections', 'billing')).out).toMatch(/^ {2}in flight +1 of 5$/m);
    expect((await run('connections', 'shop', '--account', 'acme')).out).toMatch(/^shop, account acme {2}open$/m);
    expect((await run('connections', 'shop')).out).toBe('shop  is called for accounts alone, each by itself; nothing is kept of any\n');
  });

  it('gives with --json what the API answers', async () => {
    await keep({ ...CRM, account: 'acme' }, { heldAt: 1, heldBy: 'ada', heldWhy: 'x' });
    expect(JSON.parse((await run('connections', '--json')).out)).toMatchObject({
      items: [{ connection: 'billing' }, { connection: 'crm' }, {}],
    });
    const one = JSON.parse((await run('connections', 'crm', '--json')).out) as object;
    expect(one).toMatchObject({ connection: 'crm', state: 'open', accounts: { items: [{ account: 'acme', state: 'held' }] } });
  });

  it('that is not there is told with those that are; --account without a connection is wrong usage', async () => {
    const unknown = await run('connections', 'cmr');
    expect(unknown).toMatchObject({ code: 1, err: expect.stringContaining('there are billing, crm, shop') as string });
    expect(await run('connections', '--account', 'acme')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--account needs a connection') as string,
    });
  });
});

describe('holdfast hold and release', () => {
  it('stop a connection and let it go again', async () => {
    const held = await run('hold', 'crm', '--why', 'they migrate');
    expect(held).toMatchObject({ code: 0, out: expect.stringMatching(/^crm is held: .*npx holdfast release crm\n$/) as string });
    expect((await run('connections')).out).toMatch(/^crm +held +0 ms so far +static token: they migrate$/m);
    const released = await run('release', 'crm');
    expect(released).toMatchObject({ code: 0, out: 'crm is released: it is slow-start for another 1.5 s\n' });
    const again = await run('release', 'crm');
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining('nobody holds crm: it is slow-start') as string });
  });

  it('do so for one account, and say how it is released', async () => {
    const { out } = await run('hold', 'shop', '--account', "O'Neil & co", '--why', 'asked us to');
    expect(out).toContain(String.raw`npx holdfast release shop --account 'O'\''Neil & co'`);
    expect(await run('release', 'shop', '--account', "O'Neil & co", '--json')).toMatchObject({ code: 0 });
  });

  it.each([
    [['hold', 'crm'], '--why'],
    [['hold', 'crm', '--why', ''], '/why of the body must be a text'],
  ])('%j is wrong usage', async (args, said) => {
    expect(await run(...args)).toMatchObject({ code: 2, err: expect.stringContaining(said) as string });
  });
});
