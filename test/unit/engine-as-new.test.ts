/**
 * A key that an API has remembered a failure under answers with it for ever. A redrive "as new" is the one thing that changes
 * a key, and it changes no more than it was asked to.
 */
import { describe, expect, test } from 'vitest';
import { map, sleep } from '../../src/engine/verbs.ts';
import { operatorOf, refusal } from '../support/engine/operator.ts';
import { again, done, failed, HOUR, NEVER } from '../support/engine/rig.ts';
import { abandon, pick, rigOf } from '../support/engine/scenario.ts';

/** It remembers for each key what it answered first, a failure too, as Stripe does. */
function remembering() {
  const answers = new Map<string, ReturnType<typeof done>>();
  const api = { broken: true };
  const answer = (value: string) => (env: { keyMaterial: string }) => {
    const known = answers.get(env.keyMaterial) ?? (api.broken ? failed(`${value}: 500`) : done(value));
    answers.set(env.keyMaterial, known);
    return known;
  };
  return { api, answer };
}

describe('a redrive as new', () => {
  test('gives what is made again a key that was never used, and tells whom', async () => {
    const { api, answer } = remembering();
    const rig = rigOf(async (r) => [
      await r.call('first', 'keyed'),
      await r.call('post', 'keyed', { keyIdentity: 'post', bodyHash: 'h', answer: answer('created') }),
    ]);
    await rig.runToEnd('w');
    api.broken = false;
    await operatorOf(rig).redrive();
    expect(await rig.wakeToEnd('w')).toMatchObject({ status: 'failed' });
    expect(await operatorOf(rig).redriveAsNew()).toMatchObject({ asNew: ['keyed post'] });
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toEqual(['first=1', 'created']);
    const [first, second, third] = rig.sent.filter(({ label }) => label === 'post').map(({ key }) => key);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    expect(pick(rig.journal('w'), 'redrive').at(-1)).toMatchObject({ again: ['keyed post'], asNew: ['keyed post'] });
    expect(pick(rig.journal('w'), 'start').at(-1)).toMatchObject({ op: 'keyed post', epoch: 1 });
  });

  test('keeps the new key over attempts, parks, crashes and plain redrives, and changes it only when told again', async () => {
    let lost = false;
    const rig = rigOf(async (r) =>
      r.call('post', 'keyed', {
        answer: (env, nth) => {
          if (nth === 2) return again(r.clock.now() + HOUR);
          if (nth === 3) {
            lost = true;
            return NEVER;
          }
          return nth === 7 ? done('created') : failed(`no. ${nth} ${env.attempt}`);
        },
      }),
    );
    await rig.runToEnd('w');
    await operatorOf(rig).redriveAsNew();
    // The second is put off, the third is lost with its process, the fourth fails.
    for (let round = 0; round < 10 && !lost; round++) {
      rig.clock.advance(HOUR);
      await rig.invoke([rig.wakeMessage(rig.idOf('w'))], { until: () => lost });
    }
    abandon(rig);
    expect(await rig.wakeToEnd('w')).toMatchObject({ status: 'failed' });
    await operatorOf(rig).redrive();
    await rig.wakeToEnd('w');
    await operatorOf(rig).redriveAsNew();
    await rig.wakeToEnd('w');
    await operatorOf(rig).redrive();
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('created');
    const keys = rig.sent.map(({ key }) => key);
    expect(keys).toEqual([keys[0], keys[1], keys[1], keys[1], keys[1], keys[5], keys[5]]);
    expect(new Set(keys).size).toBe(3);
  });

  test('never goes back to a used key, also when a later redrive takes the earlier one back', async () => {
    let broken = true;
    const rig = rigOf(async (r) =>
      Promise.allSettled([
        r.call('read', 'safe', { ms: 5, answer: () => failed('read') }),
        r.call('post', 'keyed', { ms: 10, answer: () => (broken ? failed('500') : done('created')) }),
      ]).then(([, post]) => {
        if (post.status === 'rejected') throw post.reason;
        return post.value;
      }),
    );
    await rig.runToEnd('w');
    await operatorOf(rig).redriveAsNew();
    await rig.wakeToEnd('w');
    broken = false;
    // From the first failure on, before which no redrive stands.
    await operatorOf(rig).redrive(rig.journal('w').findIndex(({ k }) => k === 'fail'));
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('created');
    const keys = rig.sent.filter(({ label }) => label === 'post').map(({ key }) => key);
    expect(keys[1]).not.toBe(keys[0]);
    expect(keys[2]).toBe(keys[1]);
  });

  test('leaves the keys of equal calls beside it alone', async () => {
    let broken = true;
    const rig = rigOf(async (r) =>
      map(['a', 'b', 'c'], (name) =>
        r.call(`post ${name}`, 'keyed', {
          keyIdentity: 'post',
          answer: () => (name === 'b' && broken ? failed('500') : done(name)),
        }),
      ),
    );
    await rig.runToEnd('w');
    broken = false;
    await operatorOf(rig).redriveAsNew();
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toEqual(['a', 'b', 'c']);
    expect(rig.sent.map(({ label }) => label)).toEqual(['post a', 'post b', 'post c', 'post b']);
    expect(new Set(rig.sent.map(({ key }) => key)).size).toBe(4);
  });

  test('holds for the place and not for the body: mended code sends its other body under the new key', async () => {
    let body = 'wrong';
    const rig = rigOf(async (r) =>
      r.call(`post`, 'keyed', {
        identity: `post ${body}`,
        keyIdentity: 'post',
        bodyHash: body,
        answer: () => (body === 'wrong' ? failed('422') : done('created')),
      }),
    );
    await rig.runToEnd('w');
    body = 'right';
    await operatorOf(rig).redriveAsNew();
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('created');
    expect(new Set(rig.sent.map(({ key }) => key)).size).toBe(2);
  });

  test('counts the age of the new key from its own first sending', async () => {
    let broken = true;
    const rig = rigOf(async (r) =>
      r.call('post', 'keyed', { keyTtl: 23 * HOUR, answer: () => (broken ? failed('500') : done('created')) }),
    );
    await rig.runToEnd('w');
    rig.clock.advance(48 * HOUR);
    broken = false;
    await operatorOf(rig).redriveAsNew();
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('created');
    expect(rig.sent[1]?.firstSentAt).toBeGreaterThan(48 * HOUR);
  });

  test('does not make the code believe that nothing happened: what was sent under the former key may have', async () => {
    const rig = rigOf(async (r) => {
      await r.call('post', 'keyed', { answer: () => failed('500') });
    });
    await rig.runToEnd('w');
    await operatorOf(rig).redriveAsNew();
    await operatorOf(rig).cancel();
    await operatorOf(rig).onward();
    expect(rig.record('w')).toMatchObject({ status: 'cancelled' });
    expect(pick(rig.journal('w'), 'fail').at(-1)).toMatchObject({ error: { code: 'E_CANCELLED', detail: { mayHaveHappened: true } } });
    expect(rig.sent).toHaveLength(1);
  });

  test('does not send again what is unknown before somebody has said that it did not happen', async () => {
    let fixed = false;
    const rig = rigOf(async (r) =>
      r.call('post', 'keyed', {
        keyTtl: HOUR,
        answer: () => (fixed ? done('created') : again(r.clock.now() + 2 * HOUR)),
        unknown: async () => ({ type: 'pause', error: { code: 'E_UNKNOWN_OUTCOME', message: 'too old' } }),
      }),
    );
    expect(await rig.runToEnd('w')).toMatchObject({ status: 'paused' });
    await operatorOf(rig).settle({ outcome: 'failed' });
    expect(await operatorOf(rig).onward()).toMatchObject({ status: 'failed' });
    fixed = true;
    await operatorOf(rig).redriveAsNew();
    expect(await rig.wakeToEnd('w')).toMatchObject({ status: 'paused' });
    expect(rig.sent).toHaveLength(1);
    await operatorOf(rig).settle({ outcome: 'not-happened' });
    await operatorOf(rig).onward();
    expect(rig.value('w')).toBe('created');
    expect(rig.sent[1]?.key).not.toBe(rig.sent[0]?.key);
  });

  test('is refused where nothing that is made again has a key', async () => {
    const rig = rigOf(async (r) => {
      await r.call('first', 'keyed');
      await sleep('1 day');
      await r.call('put', 'idempotent', { answer: () => failed('no') });
    });
    await rig.runToEnd('w');
    expect(await refusal(operatorOf(rig).redriveAsNew())).toMatchObject({ code: 'E_NOT_APPLICABLE' });
    expect(rig.record('w').status).toBe('failed');
  });
});
