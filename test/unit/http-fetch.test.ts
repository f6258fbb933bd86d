import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bearer } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { connection } from '../../src/http/connection.ts';
import { failure, type Harness, harness, TOKEN } from '../support/http.ts';

let world: Harness;
beforeEach(async () => {
  world = await harness();
});
afterEach(() => world.close());

describe('connection.fetch', () => {
  it('gives a real Response, by URL, URL object, relative path or Request', async () => {
    const { fetch } = world.connect();
    for (const input of [
      `${world.server.url}/a?b=1`,
      new URL(`${world.server.url}/a?b=1`),
      '/a?b=1',
      new Request(`${world.server.url}/a?b=1`),
    ]) {
      const response = await fetch(input);
      expect(response).toBeInstanceOf(Response);
      expect(response).toMatchObject({ ok: true, status: 200, url: `${world.server.url}/a?b=1` });
      expect(await response.json()).toEqual({ ok: true });
    }
    expect(new Set(world.server.received.map(({ url }) => url))).toEqual(new Set(['/a?b=1']));
  });

  it.each([[200], [204], [302], [304], [400], [404], [422], [501]])(
    'resolves with status %d, and tells SDKs not to retry',
    async (status) => {
      world.server.script({ status, body: status === 204 || status === 304 ? '' : '{}' });
      const response = await world.connect().fetch('/');
      expect(response.status).toBe(status);
      expect(response.headers.get('x-should-retry')).toBe('false');
    },
  );

  it('has done the retrying, and gives the last reply when it is used up', async () => {
    world.server.script({ status: 503 }, { status: 200 });
    expect((await world.connect().fetch('/')).status).toBe(200);
    world.server.script({ status: 503, body: 'down' });
    const response = await world.connect({ retry: { attempts: 2 } }).fetch('/');
    expect([response.status, await response.text()]).toEqual([503, 'down']);
    world.server.script({ status: 429, headers: { 'retry-after': '999999' } });
    expect((await world.connect({ retry: { deadline: '1h' } }).fetch('/')).status).toBe(429);
  });

  it.each<[string, () => RequestInit['body'], string, string]>([
    ['a text', () => 'hello', 'hello', 'text/plain;charset=UTF-8'],
    ['URLSearchParams', () => new URLSearchParams({ a: 'b c' }), 'a=b+c', 'application/x-www-form-urlencoded;charset=UTF-8'],
    ['bytes', () => new TextEncoder().encode('bytes'), 'bytes', ''],
    ['an ArrayBuffer', () => new TextEncoder().encode('buffer').buffer, 'buffer', ''],
    ['a Blob', () => new Blob(['blob'], { type: 'text/csv' }), 'blob', 'text/csv'],
    ['a stream', () => new Blob(['stream']).stream() as unknown as RequestInit['body'], 'stream', ''],
  ])('sends %s', async (_name, body, text, type) => {
    await world.connect().fetch('/', { method: 'POST', body: body() as never });
    expect(world.server.received[0]).toMatchObject({ method: 'POST', body: text });
    expect(world.server.received[0]?.headers['content-type'] ?? '').toBe(type);
  });

  it('sends a form whose boundary is the same each time', async () => {
    const form = () => {
      const data = new FormData();
      data.set('a "b"', 'c\nd');
      data.set('file', new File(['content'], 'x.txt', { type: 'text/plain' }));
      return data;
    };
    const { fetch } = world.connect();
    await fetch('/', { method: 'POST', body: form() });
    await fetch('/', { method: 'POST', body: form() });
    const [first, second] = world.server.received;
    expect(second?.body).toBe(first?.body);
    const parsed = await new Response(first?.body ?? '', { headers: { 'content-type': first?.headers['content-type'] ?? '' } }).formData();
    expect(parsed.get('a "b"')).toBe('c\r\nd');
    expect(await (parsed.get('file') as File).text()).toBe('content');
  });

  it('sends the body and headers of a Request', async () => {
    const request = new Request(`${world.server.url}/a`, {
      method: 'PUT',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json', 'x-a': '1' },
    });
    await world.connect().fetch(request);
    expect(world.server.received[0]).toMatchObject({
      method: 'PUT',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json', 'x-a': '1' },
    });
  });

  it('puts the connection’s credential and key in place of what an SDK made up', async () => {
    const crm = world.connect({ auth: bearer(secret('crm/token')), idempotencyKey: { header: 'Idempotency-Key' } });
    await crm.fetch('/', {
      method: 'POST',
      body: '{}',
      headers: { authorization: 'Bearer sdk', 'idempotency-key': 'made-up', 'content-length': '99', host: 'x' },
    });
    expect(world.server.received[0]?.headers).toMatchObject({
      authorization: `Bearer ${TOKEN}`,
      'idempotency-key': expect.stringMatching(/^[\w-]{32}$/) as string,
      'content-length': '2',
    });
  });

  it('is for its own API alone', async () => {
    const scoped = connection({ name: 'crm', baseUrl: `${world.server.url}/v1` });
    await scoped.fetch(`${world.server.url}/v1/a`);
    expect(world.server.received[0]?.url).toBe('/v1/a');
    for (const url of ['https://evil.example/a', `${world.server.url}/v2`, `${world.server.url}/v10/a`, 'data:text/plain,x']) {
      expect(await failure(scoped.fetch(url))).toMatchObject({ code: 'E_REQUEST_INVALID' });
    }
    expect(world.server.received).toHaveLength(1);
  });

  it('honours its signal, before and while it runs', async () => {
    const reason = new Error('no longer wanted');
    expect(await failure(world.connect().fetch('/', { signal: AbortSignal.abort(reason) }))).toBe(reason);
    const abort = new AbortController();
    world.server.script(() => {
      abort.abort(reason);
      return { hang: true };
    });
    expect(await failure(world.connect().fetch('/', { signal: abort.signal }))).toBe(reason);
  });

  it('rejects where there is no reply to give', async () => {
    world.server.script({ reset: 'on-head' });
    expect(await failure(world.connect({ retry: { attempts: 1 } }).fetch('/'))).toMatchObject({ name: 'CallError', status: undefined });
    expect(await failure(world.connect().fetch('/', { method: 'POST', body: 'x' }))).toMatchObject({ name: 'UnknownOutcomeError' });
  });

  it('rejects with what came rather than hand over a body that was cut', async () => {
    world.server.script({ body: 'x'.repeat(100) });
    expect(await failure(world.connect({ maxBody: 10 }).fetch('/'))).toMatchObject({
      code: 'E_CALL_FAILED',
      message: expect.stringContaining('over maxBody (10 bytes)') as string,
    });
  });

  it('gives bytes back as they were', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    world.server.script({ headers: { 'content-type': 'image/png' }, body: bytes });
    expect(new Uint8Array(await (await world.connect().fetch('/')).arrayBuffer())).toEqual(bytes);
  });

  it('leaves a Request as it was: it can be sent again, and read', async () => {
    const { fetch } = world.connect();
    const request = new Request(`${world.server.url}/a`, { method: 'PUT', body: 'once' });
    await fetch(request);
    await fetch(request, { headers: { 'x-other': '1' } });
    expect(await request.text()).toBe('once');
    expect(world.server.received.map(({ body, headers }) => [body, headers['x-other']])).toEqual([
      ['once', undefined],
      ['once', '1'],
    ]);
    await expect(fetch(request)).rejects.toThrow(TypeError);
  });

  it('lets init outrank a Request, its signal and its body included', async () => {
    const request = new Request(`${world.server.url}/a`, { method: 'POST', body: 'theirs', signal: AbortSignal.abort() });
    await world.connect().fetch(request, { method: 'PATCH', body: 'ours', signal: null });
    expect(world.server.received[0]).toMatchObject({ method: 'PATCH', body: 'ours' });
    expect(await failure(world.connect().fetch(new Request(`${world.server.url}/a`, { signal: AbortSignal.abort() })))).toMatchObject({
      name: 'AbortError',
    });
  });

  it.each<[string, NonNullable<RequestInit['headers']>]>([
    ['Headers', new Headers({ 'X-A': '1' })],
    ['pairs', [['X-A', '1']]],
    ['an object', { 'X-A': '1' }],
  ])('takes headers as %s', async (_name, headers) => {
    await world.connect().fetch('/', { headers });
    expect(world.server.received[0]?.headers['x-a']).toBe('1');
  });

  it.each<[string, () => RequestInit['body']]>([
    ['a ReadableStream', () => ReadableStream.from([Buffer.from('a'), Buffer.from('b')]) as unknown as RequestInit['body']],
    [
      'an async iterable',
      () =>
        (async function* () {
          yield Buffer.from('a');
          yield Buffer.from('b');
        })() as unknown as RequestInit['body'],
    ],
    ['a view on a part of a buffer', () => new Uint8Array(Buffer.from('xabx')).subarray(1, 3)],
  ])('sends %s whole', async (_name, body) => {
    await world.connect().fetch('/', { method: 'POST', body: body(), duplex: 'half' } as RequestInit);
    expect(world.server.received[0]?.body).toBe('ab');
  });

  it('rejects with what the body to be sent fails with, and sends nothing', async () => {
    const broken = new ReadableStream({
      pull: () => {
        throw new Error('the file is gone');
      },
    });
    expect(await failure(world.connect().fetch('/', { method: 'POST', body: broken, duplex: 'half' } as RequestInit))).toMatchObject({
      message: 'the file is gone',
    });
    expect(world.server.received).toHaveLength(0);
  });

  it.each<[string, (url: string) => [string | Request, RequestInit?]]>([
    [
      'in a Request',
      (url) => {
        const form = new FormData();
        form.set('file', new File([Uint8Array.of(0, 200, 13, 10)], 'x.bin'));
        return [new Request(url, { method: 'POST', body: form })];
      },
    ],
    [
      'that an SDK has encoded with a boundary of its own making',
      (url) => {
        const boundary = `----${Math.random()}`;
        const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="x.bin"\r\n\r\n`;
        const body = Buffer.concat([Buffer.from(head), Uint8Array.of(0, 200, 13, 10), Buffer.from(`\r\n--${boundary}--\r\n`)]);
        return [url, { method: 'POST', body, headers: { 'content-type': `multipart/form-data; boundary="${boundary}"` } }];
      },
    ],
  ])('sends the same bytes each time for a form %s', async (_name, made) => {
    const { fetch } = world.connect();
    for (let n = 0; n < 2; n++) await fetch(...made(`${world.server.url}/`));
    const [first, second] = world.server.received;
    expect(second?.body).toBe(first?.body);
    expect(first?.body).toContain('filename="x.bin"');
    expect(first?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=holdfast-[0-9a-f]{40}$/);
    expect(second?.headers['content-type']).toBe(first?.headers['content-type']);
  });

  it('gives a Response that can be read in every way, and its copies too', async () => {
    world.server.script({ status: 201, headers: { 'content-type': 'application/json', 'x-a': '1' }, body: '{"a":"ü"}' });
    const response = await world.connect().fetch('/things?page=2', { method: 'PUT' });
    expect(response).toMatchObject({ ok: true, status: 201, statusText: 'Created', redirected: false, type: 'default', bodyUsed: false });
    const copies = Array.from({ length: 4 }, () => response.clone());
    expect(copies.map(({ url, status }) => [url, status])).toEqual(
      Array.from({ length: 4 }, () => [`${world.server.url}/things?page=2`, 201]),
    );
    const [one, two, three, four] = copies as [Response, Response, Response, Response];
    expect(await one.json()).toEqual({ a: 'ü' });
    expect(await two.text()).toBe('{"a":"ü"}');
    expect(Buffer.from(await three.arrayBuffer()).toString()).toBe('{"a":"ü"}');
    expect(await (await four.blob()).text()).toBe('{"a":"ü"}');
    let streamed = '';
    for await (const chunk of response.body as ReadableStream<Uint8Array>) streamed += Buffer.from(chunk).toString();
    expect([streamed, response.bodyUsed]).toEqual(['{"a":"ü"}', true]);
    await expect(response.text()).rejects.toThrow(TypeError);
  });

  it.each([
    ['HEAD', 200],
    ['GET', 204],
    ['GET', 205],
    ['GET', 304],
  ] as const)('gives no body for %s %d', async (method, status) => {
    world.server.script({ status, body: '' });
    const response = await world.connect().fetch('/', { method });
    expect([response.status, response.body, await response.text()]).toEqual([status, null, '']);
  });

  it('gives statuses that nobody has registered', async () => {
    world.server.script({ status: 999, body: 'no' });
    const response = await world.connect({ retry: { attempts: 1 } }).fetch('/');
    expect([response.status, response.clone().status, response.ok]).toEqual([999, 999, false]);
  });

  it('keeps credentials out of URLs', async () => {
    const url = world.server.url.replace('//', '//user:password@');
    expect(await failure(world.connect().fetch(`${url}/a`))).toMatchObject({
      code: 'E_REQUEST_INVALID',
      message: expect.not.stringContaining('password') as string,
    });
  });
});

it('does not show the value of a header that cannot be sent', async () => {
  const world = await harness();
  const error = await failure(world.connect().fetch('/', { headers: { 'x-api-key': 'sk_live_12\n34' } }));
  expect(error).toMatchObject({ code: 'E_REQUEST_INVALID', message: expect.stringMatching(/headers cannot be sent/) as string });
  expect(error.message).not.toContain('sk_live');
  await world.close();
});
