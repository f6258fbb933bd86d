/** Workflows of the suite's main part. Each does one thing; what the API answers to each path is the test's to say. */
import { bearer, connection, map, secret, sleep, step, vars, workflow } from 'holdfast';
import * as z from 'zod/mini';

const allow = ['127.0.0.1', 'host.docker.internal'];
const api = connection({
  name: 'test-api',
  baseUrl: vars('test-api'),
  allow,
  timeout: '5s',
  retry: { attempts: 4, deadline: '1h' },
});
/** Its POSTs may be made again: they carry a key that is made from the stage's own secret. */
const keyed = connection({
  name: 'keyed-api',
  baseUrl: vars('test-api'),
  allow,
  timeout: '5s',
  idempotencyKey: { header: 'Idempotency-Key' },
});
const locked = connection({ name: 'locked-api', baseUrl: vars('test-api'), allow, timeout: '5s', auth: bearer(secret('locked/token')) });

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

const echo = workflow({
  name: 'echo',
  input: z.object({ text: z.string(), times: z.number() }),
  run: async ({ text, times }) => text.repeat(times),
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
      { safe },
    );
    return lived;
  },
});

export const workflows = [gather, read, readTwice, nap, order, guarded, echo, fatal];
