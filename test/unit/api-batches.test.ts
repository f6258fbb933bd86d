import { describe, expect, it } from 'vitest';
import { MAX_UPLOAD_BYTES } from '../../src/batch/ports.ts';
import { runId } from '../../src/engine/start.ts';
import { testApi } from '../support/api.ts';

const PATH = '/v1/workflows/onboard/batches';
const ANY = '/v1/workflows/anything/batches';
const NDJSON = { 'Content-Type': 'application/x-ndjson' };
const line = (seats: unknown) => JSON.stringify({ domain: 'acme.example', seats });

type Batch = {
  batch: string;
  accepted: number;
  refused: number;
  runs: Array<{ line: number; id: string }>;
  errors: Array<{ line: number; pointer: string; message: string }>;
};

async function send(body: string, { headers = {}, path = PATH }: { headers?: Record<string, string>; path?: string } = {}) {
  const t = testApi();
  const reply = await t.call('POST', path, { body, headers: { ...NDJSON, ...headers } });
  return { ...t, reply, batch: reply.body as unknown as Batch };
}

describe('a batch of lines', () => {
  it('is sent as one start message for each, keyed by batch and line', async () => {
    const { reply, batch, starts, store } = await send(`${line(1)}\n${line(2)}\n`, {
      headers: { 'Idempotency-Key': 'import-7', 'Holdfast-Tenant': 'acme' },
    });
    expect(reply.status).toBe(202);
    expect(batch).toEqual({
      batch: 'import-7',
      accepted: 2,
      refused: 0,
      runs: [
        { line: 1, id: runId('acme', 'onboard', 'import-7:1') },
        { line: 2, id: runId('acme', 'onboard', 'import-7:2') },
      ],
      errors: [],
    });
    expect(starts.sent).toEqual(
      [1, 2].map((seats) => ({
        workflow: 'onboard',
        input: { domain: 'acme.example', seats },
        idempotencyKey: `import-7:${seats}`,
        tenant: 'acme',
      })),
    );
    expect(store.writes()).toBe(0);
  });

  it('tells what is wrong by the number of the line, and starts the others', async () => {
    const { reply, batch, starts } = await send(
      ['{', line(1), line('two'), '[]', `${line(3)} x`, '{"domain":1,"seats":"x"}', line(4)].join('\n'),
    );
    expect(reply.status).toBe(202);
    expect([batch.accepted, batch.refused]).toEqual([2, 5]);
    expect(batch.errors.map((error) => [error.line, error.pointer])).toEqual([
      [1, ''],
      [3, '/seats'],
      [4, ''],
      [5, ''],
      [6, '/domain'],
      [6, '/seats'],
    ]);
    expect(batch.errors[0]?.message).toMatch(/^is not JSON: /);
    expect(batch.runs.map((run) => run.line)).toEqual([2, 7]);
    expect(starts.sent).toHaveLength(2);
  });

  it.each([
    ['a last line without an end', `${line(1)}\n${line(2)}`, [1, 2]],
    ['lines that end as on Windows', `${line(1)}\r\n${line(2)}\r\n`, [1, 2]],
    ['blank lines, which count', `\n${line(1)}\n  \t \n\r\n${line(2)}\n\n\n`, [2, 5]],
    ['a byte order mark', `\ufeff${line(1)}\n${line(2)}`, [1, 2]],
    ['characters of several bytes', `{"domain":"übergröße.example","seats":1}\n${line(2)}`, [1, 2]],
    ['a line that is the same as another', `${line(1)}\n${line(1)}`, [1, 2]],
  ])('takes %s', async (_, body, lines) => {
    const { batch } = await send(body);
    expect(batch.runs?.map((run) => run.line)).toEqual(lines);
    expect(new Set(batch.runs.map(({ id }) => id)).size).toBe(lines.length);
  });

  it('sent again under its name is the same runs, and without one others', async () => {
    const { call } = testApi();
    const post = async (headers: Record<string, string>) =>
      ((await call('POST', PATH, { body: line(1), headers: { ...NDJSON, ...headers } })).body as unknown as Batch).runs[0]?.id;
    expect(await post({ 'Idempotency-Key': 'k' })).toBe(await post({ 'Idempotency-Key': 'k' }));
    expect(await post({})).not.toBe(await post({}));
  });

  it('passes the trace on', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const { starts } = await send(line(1), { headers: { traceparent } });
    expect(starts.sent[0]?.traceparent).toBe(traceparent);
  });

  it('takes an input that needs no schema, whatever it is', async () => {
    const { starts } = await send('0\nnull\n"x"\n[1]\n{"__proto__":1}', { path: ANY });
    expect(starts.sent.map(({ input }) => JSON.stringify(input))).toEqual(['0', 'null', '"x"', '[1]', '{"__proto__":1}']);
  });

  it.each([
    ['nothing', '', /has no line/],
    ['blank lines', '\n \n', /has no line/],
    ['lines that are all wrong', `${line(0)}\n{`, /none of the 2 lines can become a run/],
  ])('is refused as a whole given %s', async (_, body, detail) => {
    const { reply, starts } = await send(body);
    expect(reply).toMatchObject({ status: 422, body: { code: 'E_BATCH_REFUSED', detail: expect.stringMatching(detail) } });
    expect(starts.sent).toEqual([]);
  });

  it('names lines in the problem too', async () => {
    const { reply } = await send(`\n${line(0)}\n{`);
    expect(reply.body.errors).toMatchObject([
      { line: 2, pointer: '/seats' },
      { line: 3, pointer: '' },
    ]);
    expect(reply.body).not.toHaveProperty('pointer');
  });

  it.each<[string, string, RegExp]>([
    ['too long', JSON.stringify('x'.repeat(256 * 1024)), /makes a message of 262\d{3} bytes, more than 262144/],
    ['too long as a message', JSON.stringify('x'.repeat(256 * 1024 - 20)), /makes a message of 262\d{3} bytes/],
    ['nested too deep', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, /nested too deep/],
    ['as deep as a message must not be', `${'['.repeat(200)}1${']'.repeat(200)}`, /nested too deep/],
    ['with a number beyond numbers', '{"a":[1e999]}', /Infinity at \/a\/0/],
  ])('holds each line against the limits of a message: %s', async (_, bad, message) => {
    const { batch } = await send(`${bad}\n1`, { path: ANY });
    expect(batch).toMatchObject({ accepted: 1, refused: 1, errors: [{ line: 1, message: expect.stringMatching(message) }] });
  });

  it('refuses a line that is not UTF-8, and takes the others', async () => {
    const { call, starts } = testApi();
    const body = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('\n1')]).toString('base64');
    const { body: batch } = await call('POST', ANY, { headers: NDJSON, event: { body, isBase64Encoded: true } });
    expect(batch).toMatchObject({ accepted: 1, refused: 1 });
    expect(starts.sent).toHaveLength(1);
  });

  it('tells of a hundred errors at most, and keeps them short', async () => {
    const key = 'k'.repeat(2_000);
    const { batch } = await send(`${line(1)}\n${Array(300).fill(line(0)).join('\n')}`);
    expect([batch.accepted, batch.refused, batch.errors.length]).toEqual([1, 300, 100]);
    const long = await send(`${line(1)}\n{"domain":"a","seats":1,"tags":["${key}",{"${key}":1}]}\n{`);
    for (const error of long.batch.errors) expect(error.message.length).toBeLessThan(510);
  });

  it('takes 4 MB and ten thousand lines, and says what to do with more', async () => {
    const most = await send(Array(10_000).fill('1').join('\n'), { path: ANY });
    expect(most.batch).toMatchObject({ accepted: 10_000, refused: 0 });
    expect(JSON.stringify(most.reply.body).length).toBeLessThan(5 * 1024 * 1024);
    const tooMany = await send(Array(10_001).fill('1').join('\n'), { path: ANY });
    expect(tooMany.reply).toMatchObject({ status: 413, body: { code: 'E_BODY_TOO_LARGE', detail: expect.stringContaining('/uploads') } });
    expect(tooMany.starts.sent).toEqual([]);
    const large = `${JSON.stringify('x'.repeat(200_000))}\n`.repeat(20);
    expect((await send(large, { path: ANY })).reply.status).toBe(202);
    expect((await send(`${large}${' '.repeat(4 * 1024 * 1024)}`, { path: ANY })).reply.status).toBe(413);
  });

  it('is not answered before the queue has all of it', async () => {
    const { call } = testApi({
      startFault: () => {
        throw new Error('throttled');
      },
    });
    expect((await call('POST', ANY, { body: '1', headers: NDJSON })).status).toBe(500);
  });

  it.each([
    ['of no type', {}, 415, 'E_MEDIA_TYPE'],
    ['of another type', { 'Content-Type': 'text/csv' }, 415, 'E_MEDIA_TYPE'],
    ['under too long a name', { ...NDJSON, 'Idempotency-Key': 'k'.repeat(241) }, 400, 'E_REQUEST_INVALID'],
  ])('%s is refused', async (_, headers, status, code) => {
    const { call, starts } = testApi();
    expect(await call('POST', ANY, { body: '1', headers })).toMatchObject({ status, body: { code } });
    expect(starts.sent).toEqual([]);
  });

  it.each(['application/x-ndjson; charset=utf-8', 'Application/NDJSON', 'application/jsonl'])('may be called %s', async (type) => {
    expect((await send('1', { path: ANY, headers: { 'Content-Type': type } })).reply.status).toBe(202);
  });

  it('of a workflow that is not there, or is not for people, is refused', async () => {
    for (const name of ['nothing', 'holdfast-batch']) {
      expect((await send('1', { path: `/v1/workflows/${name}/batches` })).reply).toMatchObject({
        status: 404,
        body: { code: 'E_UNKNOWN_WORKFLOW', detail: expect.not.stringContaining('are onboard, anything, holdfast-batch') },
      });
    }
  });
});

describe('an uploaded batch', () => {
  const UPLOAD = '00000000-0000-4000-8000-000000000001';

  it('is sent to a URL, and started by its name as a run of its own', async () => {
    const { call, uploads, store, wake, clock } = testApi();
    const made = await call('POST', '/v1/workflows/anything/batches/uploads', { headers: { 'Holdfast-Tenant': 'acme' } });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      upload: UPLOAD,
      method: 'PUT',
      headers: { 'content-type': 'application/x-ndjson' },
      expiresAt: new Date(clock.now() + 3_600_000).toISOString(),
    });
    uploads.put('acme', UPLOAD, '1\n2\n');
    const reply = await call('POST', ANY, { json: { upload: UPLOAD }, headers: { 'Holdfast-Tenant': 'acme' } });
    const id = runId('acme', 'holdfast-batch', UPLOAD);
    expect(reply).toMatchObject({ status: 202, headers: { location: `/v1/runs/${id}` }, body: { id, status: 'queued' } });
    expect(store.peek(id)).toMatchObject({
      workflow: 'holdfast-batch',
      input: { text: JSON.stringify({ upload: UPLOAD, workflow: 'anything', batch: UPLOAD }) },
    });
    expect(wake.sent).toMatchObject([{ run: id }]);
    // Said twice, it is started once.
    expect((await call('POST', ANY, { json: { upload: UPLOAD }, headers: { 'Holdfast-Tenant': 'acme' } })).body.id).toBe(id);
    expect((await call('GET', `/v1/runs/${id}`)).status).toBe(200);
  });

  it('that another tenant made, or that nobody sent, is not there', async () => {
    const { call, uploads } = testApi();
    uploads.put('acme', UPLOAD, '1');
    expect(await call('POST', ANY, { json: { upload: UPLOAD } })).toMatchObject({
      status: 404,
      body: { code: 'E_UNKNOWN_UPLOAD', pointer: '/upload' },
    });
  });

  it('that is too large is refused', async () => {
    const { call, uploads } = testApi();
    uploads.find = async () => ({ bytes: MAX_UPLOAD_BYTES + 1, etag: 'e' });
    expect((await call('POST', ANY, { json: { upload: UPLOAD } })).status).toBe(413);
  });

  it.each([
    ['no name', {}],
    ['a name that is none', { upload: '../secrets' }],
    ['more than a name', { upload: UPLOAD, lines: 1 }],
  ])('is refused given %s', async (_, json) => {
    const { call } = testApi();
    expect(await call('POST', ANY, { json })).toMatchObject({ status: 400, body: { code: 'E_REQUEST_INVALID' } });
  });
});

describe('the built-in workflow', () => {
  it('is no workflow that people list or start', async () => {
    const { call } = testApi();
    expect((await call('GET', '/v1/workflows')).body.items.map((item) => (item as unknown as { name: string }).name)).toEqual([
      'onboard',
      'anything',
    ]);
    expect((await call('GET', '/v1/workflows/holdfast-batch')).status).toBe(404);
    expect((await call('POST', '/v1/workflows/holdfast-batch/runs', { json: {} })).status).toBe(404);
  });

  it('takes the names of others away', () => {
    const mine = { ...testApi().registry.latest('anything')!, name: 'holdfast-mine' };
    expect(() => testApi({ workflows: [mine] })).toThrow(/"holdfast-mine": names that begin with "holdfast-" are Holdfast's own/);
  });
});
