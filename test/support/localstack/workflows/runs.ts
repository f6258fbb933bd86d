/** Workflows of the suite. Each does one thing; what the API answers to each path is the test's to say. */
import { map, sleep, step, workflow } from 'holdfast';
import * as z from 'zod/mini';
import { api, held, keyed, limited, locked } from './connections.ts';

const Named = z.object({ name: z.string() });

/** Five reads at once, then a keyed write of what they said. */
const gather = workflow({
  name: 'gather',
  input: Named,
  async run({ name }) {
    const parts = await map(
      [1, 2, 3, 4, 5],
      async (n) => (await api.get(`/parts/${name}/${n}`, { schema: z.object({ n: z.number() }) })).data.n,
    );
    const sum = parts.reduce((total, n) => total + n, 0);
    const stored = await keyed.post(`/sums/${name}`, { json: { sum }, schema: z.object({ id: z.string() }) });
    return { sum, id: stored.data.id };
  },
});

const read = workflow({
  name: 'read',
  input: Named,
  run: async ({ name }) => (await api.get(`/read/${name}`)).data,
});

const readTwice = workflow({
  name: 'read-twice',
  input: Named,
  async run({ name }) {
    const before = await api.get(`/before/${name}`);
    const after = await api.get(`/after/${name}`);
    return { before: before.data, after: after.data };
  },
});

const nap = workflow({
  name: 'nap',
  input: z.object({ name: z.string(), duration: z.string() }),
  async run({ name, duration }) {
    await api.get(`/before/${name}`);
    await sleep(duration as '1s');
    await api.get(`/after/${name}`);
    return 'rested';
  },
});

const order = workflow({
  name: 'order',
  input: Named,
  async run({ name }) {
    const reply = await api.post(`/orders/${name}`, { json: { name } });
    return { status: reply.status, data: reply.data };
  },
});

const guarded = workflow({
  name: 'guarded',
  input: Named,
  run: async ({ name }) => (await locked.get(`/guarded/${name}`)).data,
});

/** Is put down in between, so that its input has to be kept apart from what is written again and again. */
const echo = workflow({
  name: 'echo',
  input: z.object({ text: z.string(), times: z.number() }),
  async run({ text, times }) {
    await sleep('4s');
    return text.repeat(times);
  },
});

/** Brings its worker down for as long as the API says so. */
const fatal = workflow({
  name: 'fatal',
  input: z.object({ name: z.string(), safe: z.boolean() }),
  async run({ name, safe }) {
    await api.get(`/before/${name}`);
    const lived = await step(
      'perilous',
      async () => {
        const { data } = await api.get(`/perilous/${name}`, { schema: z.object({ die: z.boolean() }) });
        if (data.die) process.exit(1);
        return 'lived';
      },
      { safe, timeout: '5s' },
    );
    return lived;
  },
});

const limit = workflow({
  name: 'limit',
  input: z.object({ name: z.string(), calls: z.number() }),
  async run({ name, calls }) {
    const replies = await Promise.all(Array.from({ length: calls }, (_, n) => limited.get(`/limited/${name}`, { query: { n } })));
    return replies.length;
  },
});

const visit = workflow({
  name: 'visit',
  input: Named,
  run: async ({ name }) => (await held.post(`/visits/${name}`, { json: { name } })).status,
});

export const workflows = [gather, read, readTwice, nap, order, guarded, echo, fatal, limit, visit];
