import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { workflow } from '../../src/engine/workflow.ts';
import { bearer } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { connection } from '../../src/http/connection.ts';
import { killedEverywhere, type Mortal, mortal } from '../support/engine/mortal.ts';
import { harness } from '../support/http.ts';
import { ANSWER, openaiServer } from '../support/providers/openai.ts';
import { type Fate, type ProviderServer, providerServer } from '../support/providers/server.ts';

const secrets = { 'openai/key': 'sk-of-the-connection' };
const servers: ProviderServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(): Promise<{ openai: ProviderServer; notes: ProviderServer }> {
  const openai = await openaiServer();
  const notes = await providerServer({
    keys: { header: 'idempotency-key', replayed: {} },
    serve({ body }, effect) {
      effect(body);
      return { status: 201, body: {} };
    },
    throttle: () => ({ status: 429 }),
    fail: () => ({ status: 500 }),
  });
  servers.push(openai, notes);
  return { openai, notes };
}

const llm = (url: string) =>
  connection({
    name: 'openai',
    baseUrl: `${url}/v1`,
    auth: bearer(secret('openai/key')),
    routes: [{ method: 'POST', path: '/*', effects: 'safe' }],
  });

const sdk = (url: string, fetch = llm(url).fetch) =>
  new OpenAI({ apiKey: 'of-the-connection', baseURL: `${url}/v1`, maxRetries: 0, fetch });
const question = { model: 'gpt-5.4', messages: [{ role: 'user' as const, content: 'Hello!' }] };

/** Asks, embeds the answer, and writes it down: one effect. */
function assistant(openai: string, notes: string, client = sdk(openai)) {
  const notebook = connection({ name: 'notes', baseUrl: notes, idempotencyKey: { header: 'Idempotency-Key' } });
  return workflow({
    name: 'assistant',
    async run() {
      const { choices } = await client.chat.completions.create(question);
      const answer = choices[0]?.message.content ?? '';
      const { data } = await client.embeddings.create({ model: 'text-embedding-ada-002', input: answer, encoding_format: 'float' });
      await notebook.post('/notes', { json: { answer, vector: data[0]?.embedding } });
      return answer;
    },
  });
}

describe('the openai package, unmodified, in a run', () => {
  it('asks and embeds with the credential of the connection, each once, whatever is replayed', async () => {
    const { openai, notes } = await start();
    const world = mortal({ workflow: assistant(openai.url, notes.url), secrets, maxDeliveries: 1 });
    await world.toTheEnd();
    expect(world.value()).toBe(ANSWER);
    expect(notes.effects).toHaveLength(1);
    expect(openai.requests.every(({ headers }) => headers.authorization === 'Bearer sk-of-the-connection')).toBe(true);
    // The SDK's telemetry goes out, and is part of no identity.
    expect(openai.requests[0]?.headers).toMatchObject({ 'x-stainless-lang': 'js' });
    expect(JSON.stringify(world.journal().map((entry) => 'op' in entry && entry.op))).not.toContain('stainless');
  });

  it.each<[Fate, number]>([
    ['throttle', 20_000],
    ['fail', 0],
    ['reset-before', 0],
    ['reset-after', 0],
  ])('goes on after a %s, by one layer of retries', async (fate, waited) => {
    const { openai, notes } = await start();
    openai.script(fate, 'serve');
    const world = mortal({ workflow: assistant(openai.url, notes.url), secrets });
    const run = await world.toTheEnd();
    expect(world.value()).toBe(ANSWER);
    expect(openai.requests).toHaveLength(3);
    expect((run.endedAt ?? 0) - run.createdAt).toBeGreaterThanOrEqual(waited);
  });

  it('is told not to retry, even where its own retries were left on', async () => {
    const { openai, notes } = await start();
    const fetch = connection({
      name: 'openai',
      baseUrl: `${openai.url}/v1`,
      retry: { attempts: 2 },
      routes: [{ path: '/*', effects: 'safe' }],
    }).fetch;
    openai.script('fail');
    const client = new OpenAI({ apiKey: 'x', baseURL: `${openai.url}/v1`, fetch, maxRetries: 5 });
    const world = mortal({ workflow: assistant(openai.url, notes.url, client) });
    expect(await world.toTheEnd()).toMatchObject({
      status: 'failed',
      outcome: { error: { message: expect.stringContaining('500') as string } },
    });
    expect(openai.requests).toHaveLength(2);
  });

  it.each<[string, Fate[]]>([
    ['', ['serve']],
    [', with a 429, a 500 and a reset on the way', ['throttle', 'serve', 'fail', 'reset-after', 'serve']],
  ])('finishes when it is killed at any await%s, and repeats no effect', async (_name, fates) => {
    const points = await killedEverywhere(async (killAt): Promise<Mortal> => {
      const { openai, notes } = await start();
      openai.script(...fates);
      const world = mortal({ workflow: assistant(openai.url, notes.url), secrets, killAt });
      await world.toTheEnd();
      expect(world.value()).toBe(ANSWER);
      expect(notes.effects).toHaveLength(1);
      for (const server of servers.splice(0)) await server.close();
      return world;
    });
    expect(points).toBeGreaterThanOrEqual(12);
  });

  it('gives up by its own time limit like with any fetch', async () => {
    const { openai } = await start();
    openai.script('hang');
    const client = sdk(openai.url);
    const world = mortal({
      secrets,
      workflow: workflow({
        name: 'late',
        run: () =>
          client.chat.completions.create(question, { timeout: 30 }).then(
            () => 'done',
            (error: Error) => error.constructor.name,
          ),
      }),
    });
    await world.toTheEnd();
    expect(world.value()).toBe('APIConnectionTimeoutError');
    expect(world.journal()).toMatchObject([{ k: 'fail', error: { code: 'E_ABORTED' } }]);
  });
});

describe('a completion that the openai package streams, in a run', () => {
  /** Streams an answer, tells `seen` of each word, and writes it down. */
  function chat(openai: string, notes: string, options: { seen?: (words: string[]) => void; most?: number } = {}) {
    const client = sdk(openai);
    const notebook = connection({ name: 'notes', baseUrl: notes, idempotencyKey: { header: 'Idempotency-Key' } });
    return workflow({
      name: 'chat',
      async run() {
        const words: string[] = [];
        for await (const chunk of await client.chat.completions.create({ ...question, stream: true })) {
          words.push(chunk.choices[0]?.delta.content ?? '');
          options.seen?.(words);
          if (words.length === options.most) break;
        }
        await notebook.post('/notes', { json: words });
        return words.join('');
      },
    });
  }

  it('comes live, word by word, and is journaled as one result', async () => {
    const { openai, notes } = await start();
    // The server sends an event only when the one before has been seen.
    const seen = Array.from({ length: 20 }, () => Promise.withResolvers<void>());
    openai.beforeEvent((index) => (index === 0 || index > 11 ? undefined : seen[index - 1]?.promise));
    const world = mortal({ workflow: chat(openai.url, notes.url, { seen: ({ length }) => seen[length - 1]?.resolve() }), secrets });
    await world.toTheEnd();
    expect(world.value()).toBe(ANSWER);
    expect(world.journal().filter(({ k }) => k === 'done')).toHaveLength(2);
  });

  it('finishes when it is killed at any await and at any event, and repeats no effect', async () => {
    const points = await killedEverywhere(async (killAt): Promise<Mortal> => {
      const { openai, notes } = await start();
      const world = mortal({ workflow: chat(openai.url, notes.url), secrets, killAt });
      openai.beforeEvent(() => world.point());
      await world.toTheEnd();
      expect(world.value()).toBe(ANSWER);
      expect(notes.effects).toHaveLength(1);
      for (const server of servers.splice(0)) await server.close();
      return world;
    });
    expect(points).toBeGreaterThan(20);
  });

  it.each<Fate>(['throttle', 'fail', 'reset-before', 'reset-after'])('is asked for again after a %s', async (fate) => {
    const { openai, notes } = await start();
    openai.script(fate, 'serve');
    const world = mortal({ workflow: chat(openai.url, notes.url), secrets });
    await world.toTheEnd();
    expect(world.value()).toBe(ANSWER);
    expect(openai.requests).toHaveLength(2);
  });

  it('that breaks off is an error of its consumer, the same on every replay', async () => {
    const { openai, notes } = await start();
    openai.script('break', 'serve');
    const client = sdk(openai.url);
    const notebook = connection({ name: 'notes', baseUrl: notes.url, idempotencyKey: { header: 'Idempotency-Key' } });
    const seen = new Set<string>();
    const world = mortal({
      secrets,
      maxDeliveries: 1,
      workflow: workflow({
        name: 'broken',
        async run() {
          let text = '';
          try {
            for await (const chunk of await client.chat.completions.create({ ...question, stream: true })) {
              text += chunk.choices[0]?.delta.content ?? '';
            }
          } catch (error) {
            text += ` — ${(error as Error).name}`;
          }
          await notebook.post('/notes', { json: text });
          await notebook.post('/notes', { json: [text] });
          seen.add(text);
          return text;
        },
      }),
    });
    await world.toTheEnd();
    expect(world.value()).toMatch(/^Hello! How can I assist — CallError$/);
    expect(seen.size).toBe(1);
    expect(openai.requests).toHaveLength(1);
  });

  it('that its consumer leaves early is closed, and what follows is done', async () => {
    const { openai, notes } = await start();
    // The rest would never come.
    openai.beforeEvent((index) => (index > 3 ? new Promise(() => {}) : undefined));
    const world = mortal({ workflow: chat(openai.url, notes.url, { most: 3 }), secrets, maxDeliveries: 1 });
    await world.toTheEnd();
    expect(world.value()).toBe('Hello!');
    expect(notes.effects).toHaveLength(1);
  });
});

describe('the openai package outside a run', () => {
  it('works plainly', async () => {
    const plain = await harness();
    plain.secrets.set('openai/key', secrets['openai/key']);
    const { openai } = await start();
    openai.script('throttle', 'serve');
    const { choices } = await sdk(openai.url).chat.completions.create(question);
    expect(choices[0]?.message.content).toBe(ANSWER);
    expect(plain.waits.at(-1)).toBeGreaterThanOrEqual(20_000);
    await plain.close();
  });
});
