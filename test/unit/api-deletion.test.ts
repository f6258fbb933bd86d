import { expect, it } from 'vitest';
import { drainDeadLetter } from '../../src/engine/dead-letters.ts';
import { pack } from '../../src/engine/journal.ts';
import { testApi } from '../support/api.ts';

it('a deletion whose removal of payloads failed is ended by repeating it', async () => {
  let broken = true;
  const t = testApi({
    payloadFaults: {
      before: (op) => {
        if (op === 'removeAll' && broken) throw new Error('S3 is away');
      },
    },
  });
  const run = await t.putRun({ status: 'succeeded', endedAt: 1, outcome: { value: { text: '1' } } });
  await t.payloads.put(`runs/${run.id}/personal`, Buffer.from('data'));
  expect((await t.call('DELETE', `/v1/runs/${run.id}`)).status).toBe(500);
  broken = false;
  const again = await t.call('DELETE', `/v1/runs/${run.id}`);
  expect({ status: again.status, left: t.payloads.keys() }).toEqual({ status: 204, left: [] });
});

it('a dead letter does not say where to read its body', async () => {
  const t = testApi();
  await t.payloads.put('runs/run_victim/abc', pack(JSON.stringify('4111-1111 is the card')));
  await drainDeadLetter(
    { store: t.store, payloads: t.payloads, clock: t.clock },
    {
      messageId: 'm1',
      body: '{"workflow":"anything"}',
      sentAt: 1,
      tenant: 'acme',
      attributes: { HoldfastReason: JSON.stringify({ code: 'E_X', message: 'x', detail: { bodyRef: 'runs/run_victim/abc' } }) },
    },
  );
  const token = await t.putToken('acme ops', { tenant: 'acme' });
  const reply = await t.call('POST', '/v1/dead-letters/redrive', { token, json: { ids: ['m1'] } });
  expect(JSON.stringify(reply.body)).not.toContain('4111');
});
