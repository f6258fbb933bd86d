/** Workflows that the tests of the whole deploy in place of the examples: each does one thing that is hard to survive. */
import { accountSecret, bearer, connection, map, sleep, step, vars, workflow } from 'holdfast';
import * as z from 'zod/mini';
import { limitedConnections, limitedWorkflows } from './limited.ts';

export const api = connection({
  name: 'test-api',
  baseUrl: vars('test-api'),
  timeout: '1s',
  retry: { attempts: 4, deadline: '1h' },
});
/** A 429 stops all calls of its connection: those of other workflows are none of them. */
const throttling = connection({ name: 'throttling-api', baseUrl: vars('test-api'), timeout: '1s', retry: { attempts: 4, deadline: '1h' } });
const patient = connection({ name: 'patient-api', baseUrl: vars('test-api'), timeout: '5s' });

const quick = workflow({
  name: 'quick',
  input: z.object({ name: z.string() }),
  async run({ name }) {
    const { data } = await api.get(`/quick/${name}`, { as: 'text' });
    return data;
  },
});

/** Takes memory until the process is ended. */
const hog = workflow({
  name: 'hog',
  async run() {
    await api.get('/quick/hog', { as: 'text' });
    const taken: unknown[] = [];
    for (;;) taken.push(new Array(1_000_000).fill(taken.length).map((value) => ({ value })));
  },
});

const many = workflow({
  name: 'many',
  input: z.object({ calls: z.number() }),
  async run({ calls }) {
    let sum = 0;
    for (let i = 0; i < calls; i++) sum += Number((await api.get(`/number/${i}`, { as: 'text' })).data);
    return sum;
  },
});

/** Works without a pause for `seconds`. */
const long = workflow({
  name: 'long',
  input: z.object({ seconds: z.number() }),
  async run({ seconds }) {
    for (let i = 0; i < seconds; i++) await patient.get(`/slow/${i}`, { as: 'text' });
    return 'long';
  },
});

const retryAfter = workflow({
  name: 'retry-after',
  input: z.object({ name: z.string() }),
  async run({ name }) {
    const before = await api.get(`/count/${name}-before`, { as: 'text' });
    const limited = await throttling.get(`/limited/${name}`, { as: 'text' });
    return { before: before.data, limited: limited.data };
  },
});

const everything = workflow({
  name: 'everything',
  input: z.object({ name: z.string() }),
  async run({ name }) {
    const reads = await map([1, 2, 3], async (n) => (await api.get(`/quick/${name}-${n}`, { as: 'text' })).data);
    const made = await step('make', async () => reads.length);
    await sleep('3s');
    const posted = await api.post('/effects', { json: { name, made }, schema: z.object({ id: z.string() }) });
    return { reads, made, id: posted.data.id };
  },
});

const ofAccounts = connection({ name: 'of-accounts', baseUrl: vars('test-api'), auth: bearer(accountSecret()) });

const accounts = workflow({
  name: 'accounts',
  input: z.object({ name: z.string() }),
  run: async ({ name }) => (await ofAccounts.for(name).get(`/accounts/${name}`, { as: 'text' })).data,
});

export const connections = [api, throttling, patient, ofAccounts, ...limitedConnections];
export const workflows = [quick, hog, many, long, retryAfter, everything, accounts, ...limitedWorkflows];
