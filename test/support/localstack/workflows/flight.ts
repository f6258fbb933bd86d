/** Workflows that are in flight while they are deployed anew: none of the first two can end before the test lets it. */
import { sleep, workflow } from 'holdfast';
import * as z from 'zod/mini';
import { api, keyed, throttling } from './connections.ts';

export const Named = z.object({ name: z.string() });

const asleep = workflow({
  name: 'asleep',
  input: Named,
  async run({ name }) {
    let naps = 0;
    for (;;) {
      await sleep('8s');
      naps++;
      const { data } = await api.get(`/asleep/${name}`, { schema: z.object({ open: z.boolean() }) });
      if (data.open) return { rested: naps > 0 };
    }
  },
});

/** Throttled until the test opens it. */
const retrying = workflow({
  name: 'retrying',
  input: Named,
  run: async ({ name }) => (await throttling.get(`/retrying/${name}`)).data,
});

const busy = workflow({
  name: 'busy',
  input: Named,
  async run({ name }) {
    for (let n = 1; n <= 4; n++) await api.get(`/busy/${name}/${n}`);
    return (await keyed.post(`/written/${name}`, { json: { name } })).data;
  },
});

export const flight = [asleep, retrying, busy];
