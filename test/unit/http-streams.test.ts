import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../src/engine/errors.ts';
import { step } from '../../src/engine/step.ts';
import { log, sleep } from '../../src/engine/verbs.ts';
import { type Workflow, workflow } from '../../src/engine/workflow.ts';
import { bearer } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { connection } from '../../src/http/connection.ts';
import type { ConnectionOptions } from '../../src/http/options.ts';
import { applied, notApplied, reconcile } from '../../src/http/unknown.ts';
import { killedEverywhere, type Mortal, type MortalOptions, mortal } from '../support/engine/mortal.ts';
import { harness } from '../support/http.ts';
import { type ProviderServer, providerServer } from '../support/providers/server.ts';

let server: ProviderServer;
let events: string[];
/** Resolves what a stream of the server waits for. */
let reached: Map<number, () => void>;

async function start(): Promise<void> {
  events = ['one', 'two', 'three'];
  server = await providerServer({
    serve({ method, path, body, headers }, effect) {
      if (path === '/stream') return { status: 200, events };
      // Far longer than what one read of a socket gives, and without an end of a line.
      if (path === '/long') return { status: 200, events: [`${headers.authorization} `.repeat(20_000), 'end'] };
      if (path === '/none') return { status: 204 };
      if (path === '/lines') return { status: 200, headers: { 'content-type': 'application/x-ndjson' }, events };
      if (path === '/echo') return { status: 200, events: [`you are ${headers.authorization}`, 'end'] };
      if (path === '/repeated') return { status: 200, events: [`${headers.authorization} `.repeat(2_500)] };
      if (method !== 'GET') effect(body);
      return { status: 200, body: { path } };
    },
    throttle: () => ({ status: 429 }),
    fail: () => ({ status: 500 }),
  });
}

beforeEach(start);
afterEach(() => server.close());

/** The server sends an event only when the one before has been told to be `seen`: what is seen then came live. */
function lockStep(): (index: number) => void {
  reached = new Map();
  const waits = new Map<number, Promise<void>>();
  for (let index = 0; index <= events.length; index++) waits.set(index, new Promise((go) => reached.set(index, go)));
  server.beforeEvent((index) => (index === 0 ? undefined : waits.get(index)));
  return (index) => reached.get(index + 1)?.();
}

const api = (more: Partial<ConnectionOptions> = {}) =>
  connection({ name: 'api', baseUrl: server.url, routes: [{ method: 'POST', path: '/stream', effects: 'safe' }], ...more });

async function* eventsOf(response: Response): AsyncGenerator<string> {
  let text = '';
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    text += Buffer.from(chunk).toString();
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      yield text.slice('data: '.length, end);
      text = text.slice(end + 2);
    }
  }
}

const run = (body: () => Promise<unknown>, more: Partial<MortalOptions> = {}): Mortal =>
  mortal({ workflow: workflow({ name: 'w', run: body }) as Workflow, ...more });

describe('a streamed reply in a run', () => {
  it('is given live, event by event, and journaled as one result', async () => {
    const seen = lockStep();
    const { fetch } = api();
    const world = run(async () => {
      const response = await fetch('/stream', { method: 'POST', body: '{}' });
      const all: string[] = [];
      for await (const event of eventsOf(response)) {
        all.push(event);
        seen(all.length - 1);
      }
      return [response.status, response.url, response.headers.get('content-type'), all];
    });
    await world.toTheEnd();
    expect(world.value()).toEqual([200, `${server.url}/stream`, 'text/event-stream; charset=utf-8', events]);
    expect(world.journal()).toMatchObject([
      {
        k: 'done',
        value: {
          text: JSON.stringify({
            ...JSON.parse((world.journal()[0] as { value: { text: string } }).value.text),
            text: events.map((e) => `data: ${e}\n\n`).join(''),
          }),
        },
      },
    ]);
  });

  it('resolves when its head is there, before any event', async () => {
    let told = () => {};
    const headSeen = new Promise<void>((tell) => {
      told = tell;
    });
    server.beforeEvent((index) => (index === 0 ? headSeen : undefined));
    const { fetch } = api();
    const world = run(async () => {
      const response = await fetch('/stream');
      told();
      return (await response.text()).length;
    });
    await world.toTheEnd();
    expect(world.value()).toBe(events.map((event) => `data: ${event}\n\n`).join('').length);
  });

  it('is the same on every replay, piece by piece', async () => {
    const { fetch, put } = api();
    const seen = new Set<string>();
    const seenLive = lockStep();
    let live = 0;
    const world = run(
      async () => {
        const response = await fetch('/stream', { method: 'POST', body: '{}' });
        const pieces: string[] = [];
        const reader = (response.body as ReadableStream<Uint8Array>).getReader();
        for (let read = await reader.read(); !read.done; read = await reader.read()) {
          pieces.push(Buffer.from(read.value).toString());
          seenLive(live++);
        }
        for (const n of [1, 2, 3]) await put('/a', { json: { n } });
        seen.add(JSON.stringify([pieces, [...response.headers]]));
        return pieces.length;
      },
      { maxDeliveries: 1 },
    );
    await world.toTheEnd();
    expect(world.value()).toBe(3);
    expect(seen.size).toBe(1);
    expect(server.requests.filter(({ path }) => path === '/stream')).toHaveLength(1);
  });

  it('refuses effects until it has ended, and takes them then', async () => {
    const { fetch, post } = api();
    const seen = lockStep();
    const outcomes: string[] = [];
    const world = run(async () => {
      const response = await fetch('/stream');
      const refused: Array<Promise<string>> = [];
      let index = 0;
      for await (const event of eventsOf(response)) {
        log.info(`came: ${event}`);
        const code = (work: Promise<unknown>) =>
          work.then(
            () => 'done',
            (error: HoldfastError) => error.code,
          );
        refused.push(code(post('/a', { json: { event } })), code(step(`note ${event}`, () => event)));
        // A turn is what an effect has to see it closed.
        await new Promise((next) => setImmediate(() => setImmediate(next)));
        seen(index++);
      }
      await post('/b', { json: {} });
      outcomes.push(JSON.stringify(await Promise.all(refused)));
      // Put down, and replayed in another process.
      await sleep('1h');
      return outcomes.at(-1);
    });
    await world.toTheEnd();
    expect(JSON.parse(world.value() as string)).toEqual(Array(6).fill('E_STREAM_OPEN'));
    expect([outcomes.length > 1, new Set(outcomes).size]).toEqual([true, 1]);
    expect(server.effects.map(({ what }) => what)).toEqual(['{}']);
    expect(world.events.filter(({ type }) => type === 'log')).toHaveLength(3);
  });

  it('lets reads that its events ask for wait for their turn', async () => {
    const { fetch, get } = api();
    const world = run(
      async () => {
        const asked: Array<Promise<unknown>> = [];
        for await (const event of eventsOf(await fetch('/stream'))) asked.push(get(`/${event}`).then(({ data }) => data));
        return Promise.all(asked);
      },
      { maxDeliveries: 1 },
    );
    await world.toTheEnd();
    expect(world.value()).toEqual(events.map((event) => ({ path: `/${event}` })));
  });

  it('that user code turns its back on is closed, and what it does next is sent', async () => {
    lockStep();
    const { fetch, post } = api();
    const seen = new Set<string>();
    const world = run(
      async () => {
        const all: string[] = [];
        for await (const event of eventsOf(await fetch('/stream'))) {
          all.push(event);
          break;
        }
        await post('/a', { json: all });
        await post('/b', { json: all });
        seen.add(all.join());
        return all;
      },
      { maxDeliveries: 1 },
    );
    await world.toTheEnd();
    expect(world.value()).toEqual(['one']);
    expect(server.effects.map(({ what }) => what)).toEqual(['["one"]', '["one"]']);
    expect(seen.size).toBe(1);
  });

  it('closed through a pipe is closed a moment later, which an effect waits for', async () => {
    lockStep();
    const { fetch, post } = api();
    const world = run(async () => {
      const response = await fetch('/stream');
      const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
      await reader.read();
      void reader.cancel();
      return (await post('/a', { json: {} })).status;
    });
    await world.toTheEnd();
    expect(world.value()).toBe(200);
  });

  it('aborted in the middle ends with an AbortError after what came, live and on replay', async () => {
    lockStep();
    const { fetch, put } = api();
    const seen = new Set<string>();
    const world = run(
      async () => {
        const abort = new AbortController();
        const response = await fetch('/stream', { signal: abort.signal });
        const all: string[] = [];
        try {
          for await (const event of eventsOf(response)) {
            all.push(event);
            abort.abort();
          }
        } catch (error) {
          all.push((error as Error).name);
        }
        await put('/a', { json: all });
        seen.add(all.join());
        return all;
      },
      { maxDeliveries: 1 },
    );
    await world.toTheEnd();
    expect(world.value()).toEqual(['one', 'AbortError']);
    expect(seen.size).toBe(1);
  });

  it('that breaks off gives what came and then an error, alike on every replay, and is not asked for again', async () => {
    server.script('break', 'serve');
    const { fetch, put } = api();
    const seen = new Set<string>();
    const world = run(
      async () => {
        const all: string[] = [];
        try {
          for await (const event of eventsOf(await fetch('/stream'))) all.push(event);
        } catch (error) {
          all.push((error as HoldfastError).code, (error as Error).message);
        }
        await put('/a', { json: all });
        seen.add(JSON.stringify(all));
        return all;
      },
      { maxDeliveries: 1 },
    );
    await world.toTheEnd();
    const all = world.value() as string[];
    expect(all.slice(0, 2)).toEqual(['one', 'two']);
    expect(all.slice(-2)).toEqual([
      'E_CALL_FAILED',
      expect.stringContaining('GET api /stream: the answer broke off: the connection broke'),
    ]);
    expect(seen.size).toBe(1);
    expect(server.requests.filter(({ path }) => path === '/stream')).toHaveLength(1);
    expect(world.journal()[0]).toMatchObject({ k: 'done', attempts: [{ row: 'broken after sending' }] });
  });

  it('that breaks off before user code was given any of it is asked for again', async () => {
    const seen = lockStep();
    const { fetch } = api();
    // The first stays open until the second has broken and been asked for again.
    server.script('serve', 'break', 'serve');
    const plain = new Map<number, number>();
    server.beforeEvent(async (index) => {
      const stream = server.requests.filter(({ path }) => path === '/stream').length;
      plain.set(stream, index);
      if (stream === 1 && index > 0) await new Promise<void>((go) => reached.set(index, go));
    });
    const world = run(async () => {
      const texts = await Promise.all(['a', 'b'].map(async (body) => (await fetch('/stream', { method: 'POST', body })).text()));
      return texts.map((text) => text.split('\n\n').length - 1);
    });
    const ended = world.toTheEnd();
    const third = async () => {
      while (server.requests.length < 3) await new Promise((next) => setImmediate(next));
      for (const go of reached.values()) go();
      server.beforeEvent(() => {});
    };
    await Promise.all([ended, third()]);
    seen(0);
    expect(world.value()).toEqual([3, 3]);
    expect(server.requests).toHaveLength(3);
  });

  it('does not keep a run that has ended', async () => {
    lockStep();
    const { fetch } = api();
    const world = run(async () => (await fetch('/stream')).status);
    expect(await world.toTheEnd()).toMatchObject({ status: 'succeeded' });
    expect(world.journal()).toHaveLength(1);
  });

  it('longer than maxBody ends with an error', async () => {
    events = ['x'.repeat(100), 'y'.repeat(100)];
    const seen = lockStep();
    const { fetch } = api({ maxBody: 120 });
    const world = run(async () => {
      const response = await fetch('/stream');
      seen(0);
      return response.text().catch((error: Error) => error.message);
    });
    await world.toTheEnd();
    expect(world.value()).toBe('GET api /stream: the body of the answer is over maxBody (120 bytes)');
  });

  it('is read whole, cloned and piped like any other', async () => {
    const { fetch } = api();
    const whole = events.map((event) => `data: ${event}\n\n`).join('');
    const world = run(async () => {
      const response = await fetch('/stream');
      const copy = response.clone();
      const [one, two] = await Promise.all([response.text(), copy.arrayBuffer()]);
      return [one, Buffer.from(two).toString(), copy.url === response.url];
    });
    await world.toTheEnd();
    expect(world.value()).toEqual([whole, whole, true]);
  });

  it('is what a route says it is', async () => {
    const seen = lockStep();
    const { fetch } = api({
      routes: [
        { path: '/lines', streaming: true },
        { path: '/stream', streaming: false },
      ],
    });
    const world = run(async () => {
      const live: string[] = [];
      for await (const event of eventsOf(await fetch('/lines'))) {
        live.push(event);
        seen(live.length - 1);
      }
      return [live, (await (await fetch('/stream')).text()).length];
    });
    await world.toTheEnd();
    expect(world.value()).toEqual([events, events.map((event) => `data: ${event}\n\n`).join('').length]);
    const kept = world.journal().map((entry) => JSON.parse((entry as { value: { text: string } }).value.text) as { pieces?: number[] });
    expect(kept.map(({ pieces }) => pieces?.length)).toEqual([3, undefined]);
  });

  it('is a reply without a body where there is none to come', async () => {
    const { fetch } = api({ auth: bearer(secret('api/token')), routes: [{ path: '/none', streaming: true }] });
    const world = run(
      async () => {
        const response = await fetch('/none');
        return [response.status, response.body];
      },
      { secrets: { 'api/token': 'token-that-nobody-may-see' } },
    );
    await world.toTheEnd();
    expect(world.value()).toEqual([204, null]);
  });

  it('is given whole, and kept encrypted, where parts of it are to be', async () => {
    const { fetch } = api({ encrypt: ['$'] });
    const world = run(async () => (await (await fetch('/stream')).text()).length);
    await world.toTheEnd();
    expect(world.value()).toBe(events.map((event) => `data: ${event}\n\n`).join('').length);
    expect(JSON.stringify(world.journal())).not.toContain('data: one');
  });

  it('shows no secret that is echoed in it, in whatever pieces it comes', async () => {
    const { fetch } = api({ auth: bearer(secret('api/token')) });
    const world = run(
      async () => {
        const response = await fetch('/echo');
        let text = '';
        for await (const chunk of response.body as ReadableStream<Uint8Array>) text += Buffer.from(chunk).toString();
        return text;
      },
      { secrets: { 'api/token': 'token-that-nobody-may-see' } },
    );
    await world.toTheEnd();
    expect(world.value()).toMatch(/^data: you are Bearer ‹redacted:.{8}›\n\ndata: end\n\n$/);
    expect(JSON.stringify(world.journal())).not.toContain('nobody');
  });

  it.each([
    ['longer than what is held back', 10_000_000],
    ['cut at maxBody', 50_020],
  ])('shows none in a line that is %s, wherever its pieces end', async (_what, maxBody) => {
    const { fetch } = api({ auth: bearer(secret('api/token')), maxBody });
    const world = run(
      async () => {
        let text = '';
        // A mark may lie across two pieces, within a character of it.
        const decoder = new TextDecoder();
        try {
          for await (const chunk of (await fetch('/repeated')).body as ReadableStream<Uint8Array>)
            text += decoder.decode(chunk, { stream: true });
        } catch (error) {
          text += (error as Error).name;
        }
        return text;
      },
      { secrets: { 'api/token': 'token-that-nobody-may-see' } },
    );
    await world.toTheEnd();
    expect(world.value()).toMatch(/^data: (?:Bearer ‹redacted:.{8}› )+(?:\n\n|Bearer ‹redacted:.{8}›(?:CallError)?)$/);
    expect(JSON.stringify(world.journal())).not.toMatch(/token-|nobody|-may-see/);
  });
});

describe('a streamed reply with a line that is longer than any piece of it', () => {
  it('shows no secret that is echoed where one piece ends and the next begins', async () => {
    const { fetch } = api({ auth: bearer(secret('api/token')) });
    const world = run(
      async () => {
        const text = await (await fetch('/long')).text();
        return { shown: text.includes('nobody'), hidden: text.match(/Bearer ‹redacted:.{8}› /g)?.length };
      },
      { secrets: { 'api/token': 'token-that-nobody-may-see' } },
    );
    await world.toTheEnd();
    expect(world.value()).toEqual({ shown: false, hidden: 20_000 });
  });
});

describe('a run with a streamed reply that is killed anywhere', () => {
  it('makes a safe one again, sees one result in the end, and repeats no effect', async () => {
    const points = await killedEverywhere(async (killAt) => {
      await server.close();
      await start();
      const { fetch, get, post } = api();
      let world: Mortal | undefined;
      // In the middle of the stream, too.
      server.beforeEvent(() => world?.point());
      world = run(
        async () => {
          const [streamed, read] = await Promise.all([
            (async () => {
              const all: string[] = [];
              for await (const event of eventsOf(await fetch('/stream', { method: 'POST', body: '{}' }))) all.push(event);
              await post('/after', { json: all, onUnknown: reconcile(async () => settled('/after')) });
              return all;
            })(),
            (async () => {
              await get('/x');
              await sleep('10ms');
              return (await get('/y')).data;
            })(),
          ]);
          return { streamed, read };
        },
        { killAt },
      );
      await world.toTheEnd();
      expect(world.value()).toEqual({ streamed: events, read: { path: '/y' } });
      expect(server.effects.map(({ what }) => what)).toEqual([JSON.stringify(events)]);
      return world;
    });
    expect(points).toBeGreaterThan(15);
  });

  const settled = (path: string) => {
    const happened = server.requests.some((request) => request.path === path && request.method === 'POST');
    return happened ? applied({ status: 200, data: null }) : notApplied();
  };

  it('takes an unsafe one that was cut off by the kill for unknown', async () => {
    const { fetch } = api({ routes: [] });
    let world: Mortal | undefined;
    server.beforeEvent((index) => index === 1 && world?.point());
    const killAt = await (async () => {
      const dry = run(async () => (await fetch('/stream', { method: 'POST', body: '{}' })).text());
      let at = -1;
      server.beforeEvent((index) => {
        if (index === 1) at = dry.points();
      });
      await dry.toTheEnd();
      return at;
    })();
    server.beforeEvent((index) => index === 1 && world?.point());
    world = run(async () => (await fetch('/stream', { method: 'POST', body: '{}' })).text(), { killAt });
    expect(await world.toTheEnd()).toMatchObject({ status: 'paused', reason: { code: 'E_UNKNOWN_OUTCOME' } });
  });
});

describe('a streamed reply outside a run', () => {
  it('is given live, and can be aborted', async () => {
    const plain = await harness();
    const seen = lockStep();
    const abort = new AbortController();
    const all: string[] = [];
    const reading = (async () => {
      for await (const event of eventsOf(await api().fetch('/stream', { signal: abort.signal }))) {
        all.push(event);
        if (all.length === 2) abort.abort();
        else seen(all.length - 1);
      }
    })();
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' });
    expect(all).toEqual(['one', 'two']);
    await plain.close();
  });
});
