/** What the benchmarks deploy in place of the examples: through the same functions, the same bundler, the same cloud. */
import { connection, step, vars, workflow } from 'holdfast';
import * as z from 'zod/mini';

const api = connection({ name: 'bench', baseUrl: vars('bench'), idempotencyKey: { header: 'idempotency-key' } });
const keyless = connection({ name: 'bench-keyless', baseUrl: vars('bench') });

/** Concurrent GETs that take `ms` each and answer about `bytes`. */
const reads = workflow({
  name: 'reads',
  input: z.object({ id: z.string(), count: z.number(), ms: z.number(), bytes: z.number() }),
  async run({ id, count, ms, bytes }) {
    const replies = await Promise.all(Array.from({ length: count }, (_, n) => api.get(`/wait/${ms}/${bytes}/${id}-${n}`)));
    return replies.reduce((sum, reply) => sum + reply.status, 0);
  },
});

/** The same, then one POST made from what was read, with an idempotency key. */
const readsAndPost = workflow({
  name: 'reads-and-post',
  input: z.object({ id: z.string(), count: z.number(), ms: z.number(), bytes: z.number() }),
  async run({ id, count, ms, bytes }) {
    const replies = await Promise.all(Array.from({ length: count }, (_, n) => api.get(`/wait/${ms}/${bytes}/${id}-${n}`)));
    const sum = replies.reduce((total, reply) => total + reply.status, 0);
    const made = await api.post(`/wait/${ms}/100/${id}`, { json: { sum } });
    return made.status;
  },
});

/** Waves of concurrent POSTs, one wave after the other. */
const waves = workflow({
  name: 'waves',
  input: z.object({ id: z.string(), waves: z.number(), width: z.number(), ms: z.number(), keyed: z.boolean() }),
  async run({ id, waves: count, width, ms, keyed }) {
    const to = keyed ? api : keyless;
    for (let wave = 0; wave < count; wave++) {
      await Promise.all(Array.from({ length: width }, (_, n) => to.post(`/wait/${ms}/50/${id}-${wave}-${n}`, { json: { wave, n } })));
    }
    return count * width;
  },
});

/** Calls of 5 s one after the other: the run stays in its worker all the while. */
const slow = workflow({
  name: 'slow',
  input: z.object({ id: z.string(), calls: z.number() }),
  async run({ id, calls }) {
    for (let n = 0; n < calls; n++) await api.get(`/wait/5000/50/${id}-${n}`);
    return calls;
  },
});

/** One call whose arrival the API notes. */
const firstCall = workflow({
  name: 'first-call',
  input: z.object({ id: z.string() }),
  async run({ id }) {
    return (await api.get(`/note/${id}`)).status;
  },
});

/** Sequential steps that do nothing, timed from within; the result is about times and differs with each replay, which a result may. */
const steps = workflow({
  name: 'steps',
  input: z.object({ count: z.number(), safe: z.boolean() }),
  async run({ count, safe }) {
    const nothing = async (n: number) => n;
    const bare: number[] = [];
    for (let n = 0; n < count; n++) {
      const began = performance.now();
      await nothing(n);
      bare.push(performance.now() - began);
    }
    const took: number[] = [];
    const began = performance.now();
    for (let n = 0; n < count; n++) {
      const before = performance.now();
      await step(`step ${n}`, () => nothing(n), { safe });
      took.push(performance.now() - before);
    }
    const all = performance.now() - began;
    const middle = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
    return {
      each: all / count - bare.reduce((sum, ms) => sum + ms, 0) / count,
      early: middle(took.slice(10, 110)),
      late: middle(took.slice(-100)),
    };
  },
});

export const workflows = [reads, readsAndPost, waves, slow, firstCall, steps];
