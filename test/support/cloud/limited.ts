/** Connections whose limits the fleet keeps to, one for each test so that none meets what another left, and the workflow that uses them. */
import { connection, map, vars, workflow } from 'holdfast';
import * as z from 'zod/mini';

/** Who sent it: a process of the fleet is an environment. */
const common = { baseUrl: vars('test-api'), headers: { 'x-process': String(process.pid) }, timeout: '2s' } as const;
const rateLimit = { requests: 50, per: '1s' } as const;

const limited = {
  paced: connection({ ...common, name: 'paced', rateLimit }),
  gated: connection({ ...common, name: 'gated', rateLimit }),
  held: connection({ ...common, name: 'held', rateLimit }),
  broken: connection({ ...common, name: 'broken' }),
  narrow: connection({ ...common, name: 'narrow', concurrency: 3 }),
  tenants: connection({ ...common, name: 'tenants', rateLimit: { requests: 20, per: '1s' } }),
};

/** `GET /<to>/<name>/<n>` for each of `calls`, `width` of them at once; for an account, if it names one. */
const calls = workflow({
  name: 'calls',
  input: z.object({
    to: z.enum(['paced', 'gated', 'held', 'broken', 'narrow', 'tenants']),
    name: z.string(),
    calls: z.number(),
    width: z.number(),
    account: z.optional(z.string()),
  }),
  async run({ to, name, calls, width, account }) {
    const api = account === undefined ? limited[to] : limited[to].for(account);
    const replies = await map([...Array(calls).keys()], (n) => api.get(`/${to}/${name}/${n}`, { as: 'text' }), { concurrency: width });
    return replies.length;
  },
});

export const limitedConnections = Object.values(limited);
export const limitedWorkflows = [calls];
