/** The demo API over real sockets: its state, its idempotency keys, its faults. */
import { Agent, request as send } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { type Fault, planFault } from '../../local/demo/faults.ts';
import { type DemoApi, type DemoOptions, demoTokens, startDemoApi } from '../../local/demo/server.ts';
import { COMPANIES, CUSTOMERS, PROSPECTS } from '../../local/demo/world.ts';

const tokens = demoTokens();
const SEED = 'holdfast';
const open: DemoApi[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((api) => api.stop()));
});

async function demo(options: Partial<DemoOptions> = {}): Promise<DemoApi> {
  const api = await startDemoApi({ port: 0, seed: SEED, pace: { slow: 40, drip: 5 }, ...options });
  open.push(api);
  return api;
}

type Reply = { status: number; headers: Record<string, unknown>; body: unknown };

/** As a client does, in ms. */
const toldToWait = (reply: Reply | undefined): number => {
  const { date, 'retry-after': said } = reply?.headers ?? {};
  if (reply?.status !== 429) return 0;
  return /^\d+$/.test(String(said)) ? Number(said) * 1_000 : Date.parse(String(said)) - Date.parse(String(date));
};

/** One request on a socket of its own, as node:http sees it: nothing is retried behind our back. */
function ask(api: DemoApi, method: string, path: string, options: { json?: unknown; key?: string; token?: string } = {}): Promise<Reply> {
  const name = path.split(/[/?]/)[1] as keyof typeof tokens;
  const text = options.json === undefined ? undefined : JSON.stringify(options.json);
  return new Promise((resolve, reject) => {
    const request = send(
      `${api.url}${path}`,
      {
        method,
        agent: new Agent({ keepAlive: false }),
        headers: {
          authorization: `Bearer ${options.token ?? tokens[name]}`,
          ...(text === undefined ? {} : { 'content-type': 'application/json' }),
          ...(options.key === undefined ? {} : { 'idempotency-key': options.key }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const body: unknown = JSON.parse(Buffer.concat(chunks).toString() || 'null');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: chunks.length > 20 ? { chunks: chunks.length, ...(body as object) } : body,
          });
        });
      },
    );
    request.on('error', reject);
    request.end(text);
  });
}

async function effects(api: DemoApi): Promise<unknown> {
  return ((await ask(api, 'GET', '/_demo/effects')).body as { items: unknown }).items;
}

const account = (domain: string, seats = 2) => ({ name: 'A company', domain, seats });
const message = (i: number) => ({ to: `team@company-${i}.example`, text: 'Welcome', reference: `welcome-${i}` });

describe('as an API that behaves', () => {
  test('it knows the companies of the CRM, and no others', async () => {
    const api = await demo({ faults: 'off' });
    const [company] = COMPANIES;
    expect(await ask(api, 'GET', `/crm/companies/${company?.domain}`)).toMatchObject({
      status: 200,
      body: { id: company?.domain, domain: company?.domain, name: company?.name },
    });
    expect((await ask(api, 'GET', '/crm/companies/nobody.example')).status).toBe(404);
    expect((await ask(api, 'GET', `/crm/users/${company?.people[0]}/usage`)).body).toEqual({
      id: company?.people[0],
      logins: expect.any(Number),
    });
  });

  test('a company that the CRM is told of is known from then on', async () => {
    const api = await demo({ faults: 'off' });
    const company = { name: 'Tidepool', domain: 'tidepool.example' };
    expect(await ask(api, 'POST', '/crm/companies', { json: company })).toMatchObject({ status: 201 });
    expect(await ask(api, 'GET', '/crm/companies/tidepool.example')).toMatchObject({ status: 200, body: company });
    expect(await effects(api)).toEqual([]);
  });

  test('a token of another API, and none, are refused', async () => {
    const api = await demo({ faults: 'off' });
    const reply = await ask(api, 'GET', '/crm/companies/acme.example', { token: tokens.billing });
    expect(reply).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
  });

  test('wrong paths, methods and bodies are told apart', async () => {
    const api = await demo({ faults: 'off' });
    expect((await ask(api, 'GET', '/crm/nothing')).status).toBe(404);
    expect(await ask(api, 'DELETE', '/crm/notes')).toMatchObject({ status: 405, headers: { allow: 'POST' } });
    expect(await ask(api, 'POST', '/billing/accounts', { json: { name: 'x', seats: 1 } })).toMatchObject({
      status: 422,
      body: { error: '"domain" is missing' },
    });
    expect((await ask(api, 'POST', '/mailer/messages', { json: { ...message(1), text: 'x'.repeat(70_000) } })).status).toBe(413);
    expect(await effects(api)).toEqual([]);
  });

  test('an account is found by its domain once it was created, and has a user for each seat', async () => {
    const api = await demo({ faults: 'off' });
    const { domain = '', people = [] } = PROSPECTS[0] ?? {};
    expect((await ask(api, 'GET', `/billing/accounts?domain=${domain}`)).status).toBe(404);
    const made = await ask(api, 'POST', '/billing/accounts', { json: account(domain), key: 'k-1' });
    expect(made).toMatchObject({ status: 201, body: { id: expect.any(String), users: people.slice(0, 2) } });
    expect((await ask(api, 'GET', `/billing/accounts?domain=${domain}`)).body).toEqual(made.body);
    expect((await ask(api, 'GET', `/billing/accounts?domain=${CUSTOMERS[0]?.domain}`)).status).toBe(200);
  });

  test('with an idempotency key a POST happens once, however often and however concurrently it is sent', async () => {
    const api = await demo({ faults: 'off' });
    const posts = Array.from({ length: 5 }, () => ask(api, 'POST', '/billing/accounts', { json: account('acme.example'), key: 'k-1' }));
    const replies = await Promise.all(posts);
    expect(new Set(replies.map(({ body }) => (body as { id: string }).id)).size).toBe(1);
    expect(replies.filter(({ headers }) => headers['idempotent-replayed'] === 'true')).toHaveLength(4);
    expect(await effects(api)).toEqual([{ effect: 'account', customer: 'acme.example', count: 1 }]);
  });

  test('a key that comes with another body is refused, and another key is another effect', async () => {
    const api = await demo({ faults: 'off' });
    const json = { domain: 'acme.example', text: 'hello' };
    expect((await ask(api, 'POST', '/crm/notes', { json, key: 'k-1' })).status).toBe(201);
    expect((await ask(api, 'POST', '/crm/notes', { json: { ...json, text: 'changed' }, key: 'k-1' })).status).toBe(422);
    expect((await ask(api, 'POST', '/crm/notes', { json, key: 'k-2' })).status).toBe(201);
    expect(await effects(api)).toEqual([{ effect: 'note', customer: 'acme.example', count: 2 }]);
  });

  test('the mailer ignores keys: sent twice is delivered twice, and can be found by its reference', async () => {
    const api = await demo({ faults: 'off' });
    for (let i = 0; i < 2; i++) await ask(api, 'POST', '/mailer/messages', { json: message(7), key: 'k-1' });
    expect(await effects(api)).toEqual([{ effect: 'welcome-email', customer: 'company-7.example', count: 2 }]);
    expect((await ask(api, 'GET', '/mailer/messages?reference=welcome-7')).body).toMatchObject({ items: [message(7), message(7)] });
    expect((await ask(api, 'GET', '/mailer/messages?reference=welcome-8')).body).toEqual({ items: [] });
  });
});

describe('as an API that misbehaves', () => {
  /** The first message whose very first sending meets that fault. */
  function spoilt(fault: Fault): ReturnType<typeof message> {
    for (let i = 0; ; i++) {
      if (planFault(SEED, `POST /mailer/messages\n${JSON.stringify(message(i))}`, 0) === fault) return message(i);
    }
  }
  const post = (api: DemoApi, fault: Fault) => ask(api, 'POST', '/mailer/messages', { json: spoilt(fault) });
  const happened = (fault: Fault) => [{ effect: 'welcome-email', customer: spoilt(fault).to.replace('team@', ''), count: 1 }];

  test('503 comes in bursts and leaves no effect', async () => {
    const api = await demo();
    expect((await post(api, 'burst-503')).status).toBe(503);
    const others = [];
    for (let i = 0; i < 4; i++) others.push((await ask(api, 'GET', `/mailer/messages?reference=other-${i}`)).status);
    expect(others).toEqual([503, 503, 503, 503]);
    expect((await ask(api, 'GET', `/crm/companies/${CUSTOMERS[0]?.domain}`)).status).not.toBe(503);
    expect(await effects(api)).toEqual([]);
  });

  test('429 tells when to come back, in seconds', async () => {
    const api = await demo();
    const reply = await post(api, 'throttle-seconds');
    expect(reply.status).toBe(429);
    expect(reply.headers['retry-after']).toMatch(/^[12]$/);
    expect(await effects(api)).toEqual([]);
  });

  test('429 tells when to come back, as a date to be read against its own', async () => {
    const api = await demo();
    const { status, headers } = await post(api, 'throttle-date');
    const seconds = (Date.parse(String(headers['retry-after'])) - Date.parse(String(headers.date))) / 1000;
    expect(status).toBe(429);
    expect([1, 2]).toContain(seconds);
  });

  test('who comes back before Retry-After is counted', async () => {
    const api = await demo();
    await post(api, 'throttle-seconds');
    await post(api, 'throttle-seconds').catch(() => undefined);
    expect((await ask(api, 'GET', '/_demo/stats')).body).toMatchObject({ early: 1, faults: { 'throttle-seconds': 2 } });
  });

  test('a reset before the effect leaves none', async () => {
    const api = await demo();
    await expect(post(api, 'reset-before-effect')).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await effects(api)).toEqual([]);
  });

  test('a reset after the effect leaves one, and no answer', async () => {
    const api = await demo();
    await expect(post(api, 'reset-after-effect')).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await effects(api)).toEqual(happened('reset-after-effect'));
  });

  test('a slow body rests half-way and arrives', async () => {
    const api = await demo();
    expect((await post(api, 'slow-body')).status).toBe(201);
    expect(await effects(api)).toEqual(happened('slow-body'));
  });

  test('a dripping body comes a byte at a time, with the effect already done', async () => {
    const api = await demo();
    const dripping = post(api, 'drip-body');
    await expect.poll(() => effects(api)).toEqual(happened('drip-body'));
    expect(await dripping).toMatchObject({ status: 201, body: { chunks: expect.any(Number) } });
  });

  test('it can be ended in the middle of a drip', async () => {
    const api = await demo({ pace: { slow: 60_000, drip: 60_000 } });
    const dripping = expect(post(api, 'drip-body')).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect.poll(() => effects(api)).toEqual(happened('drip-body'));
    await open.pop()?.stop();
    await dripping;
  });

  test('whoever retries gets through at the third time', async () => {
    const api = await demo();
    for (let i = 0; i < 40; i++) {
      const path = `/crm/companies/${COMPANIES[i]?.domain}`;
      let last: Reply | undefined;
      for (let tries = 0; tries < 3 && last?.status !== 200; tries++) {
        last = await ask(api, 'GET', path).catch(() => undefined);
        // It throttles whoever asks for as long as it says.
        for (let wait = toldToWait(last); wait > 0; wait = toldToWait(last)) {
          await delay(wait);
          last = await ask(api, 'GET', path).catch(() => undefined);
        }
      }
      expect(last?.status).toBe(200);
    }
  });
});

test('a taken port is an error that names the flag', async () => {
  const api = await demo();
  await expect(startDemoApi({ port: api.port })).rejects.toMatchObject({
    code: 'E_PORT_TAKEN',
    message: expect.stringContaining('--demo-port'),
  });
});
