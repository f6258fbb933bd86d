/** The built-in workflow of batches: outside a run its steps are plain calls, inside one they are the engine's. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { BatchResult } from '../../src/batch/part.ts';
import { MAX_UPLOAD_BYTES } from '../../src/batch/ports.ts';
import { BATCH_WORKFLOW, batchWorkflow } from '../../src/batch/workflow.ts';
import { createWorker } from '../../src/engine/worker.ts';
import { registry, workflow } from '../../src/engine/workflow.ts';
import { seededEntropy, virtualClock } from '../../src/testing/index.ts';
import { testApi } from '../support/api.ts';
import { memoryStarts, memoryUploads } from '../support/api-batches.ts';

const UPLOAD = '00000000-0000-4000-8000-000000000001';
const MB = 1024 * 1024;
const take = workflow({ name: 'take', input: z.object({ n: z.number() }), run: async () => null });

async function read(file: string | Uint8Array) {
  const starts = memoryStarts();
  const uploads = memoryUploads(virtualClock());
  uploads.put('default', UPLOAD, file);
  const parts: Array<{ from: number; to: number }> = [];
  const { read: whole } = uploads;
  uploads.read = (tenant, upload, range) => {
    parts.push({ from: range.from, to: range.to });
    return whole(tenant, upload, range);
  };
  const all = registry([take]);
  const batch = batchWorkflow({ uploads: async () => uploads, starts, registry: () => all });
  const result = (await batch.run({ upload: UPLOAD, workflow: 'take', batch: 'b' })) as BatchResult;
  return { result, starts, parts, keys: starts.sent.map(({ idempotencyKey }) => idempotencyKey) };
}

const line = (n: number, pad = 0) => JSON.stringify({ n, ...(pad > 0 ? { pad: 'x'.repeat(pad) } : {}) });

describe('a file of lines', () => {
  it('becomes a start for each, with a result that counts them', async () => {
    const { result, starts } = await read(`${line(1)}\r\n\n${line(2)}\n{"n":"x"}\n{`);
    expect(starts.sent).toEqual([
      { workflow: 'take', input: { n: 1 }, idempotencyKey: 'b:1', tenant: 'default' },
      { workflow: 'take', input: { n: 2 }, idempotencyKey: 'b:3', tenant: 'default' },
    ]);
    expect(result).toEqual({
      lines: 4,
      accepted: 2,
      refused: 2,
      errors: [
        { line: 4, pointer: '/n', message: expect.stringContaining('number') },
        { line: 5, pointer: '', message: expect.stringMatching(/^is not JSON/) },
      ],
    });
  });

  it.each([
    ['nothing', ''],
    ['no line', '\n\n  \n'],
  ])('may hold %s', async (_, file) => {
    expect((await read(file)).result).toEqual({ lines: 0, accepted: 0, refused: 0, errors: [] });
  });

  it('is read in parts of a megabyte, and no line is lost where they meet', async () => {
    const lines = Array.from({ length: 40 }, (_, i) => line(i + 1, 100_000));
    const { result, parts, keys } = await read(lines.join('\n'));
    expect(result).toMatchObject({ lines: 40, accepted: 40, refused: 0 });
    expect(keys).toEqual(lines.map((_, i) => `b:${i + 1}`));
    expect(parts.length).toBeGreaterThan(3);
    for (const { from, to } of parts) expect(to - from).toBeLessThanOrEqual(MB);
  });

  it.each([-2, -1, 0, 1, 2])('may have a line whose end lies %i bytes beyond the end of a part', async (by) => {
    const size = (MB + by) / 8;
    const rows = Array.from({ length: 8 }, (_, i) => {
      const bytes = i < 7 ? Math.floor(size) : MB + by - 7 * Math.floor(size);
      return line(i, bytes - 1 - line(i, 1).length + 1);
    });
    expect(`${rows.join('\n')}\n`).toHaveLength(MB + by);
    const { result, keys } = await read(`${rows.join('\n')}\n${line(99)}\n`);
    expect(result).toMatchObject({ lines: 9, accepted: 9, refused: 0 });
    expect(keys.at(-1)).toBe('b:9');
  });

  it('may have a line without end, which is refused once and counts as one', async () => {
    const endless = JSON.stringify('x'.repeat(3 * MB));
    const { result, keys } = await read(`${line(1)}\n${endless}\n${line(3)}\n`);
    expect(result).toMatchObject({
      lines: 3,
      accepted: 2,
      refused: 1,
      errors: [{ line: 2, message: expect.stringContaining('more than') }],
    });
    expect(keys).toEqual(['b:1', 'b:3']);
    expect((await read(`${line(1)}\n${endless}`)).result).toMatchObject({ lines: 2, accepted: 1, refused: 1 });
    expect((await read(endless)).result).toMatchObject({ lines: 1, accepted: 0, refused: 1 });
  });

  it('of very short lines is taken a few thousand at a time', async () => {
    const count = 12_000;
    const { result, parts } = await read(Array.from({ length: count }, (_, i) => line(i)).join('\n'));
    expect(result).toMatchObject({ lines: count, accepted: count });
    expect(parts.length).toBe(3);
  });

  it('tells of a hundred errors, and counts all', async () => {
    const { result } = await read('{\n'.repeat(7_000));
    expect(result).toMatchObject({ lines: 7_000, accepted: 0, refused: 7_000 });
    expect(result.errors.map((error) => error.line)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  it('is the same whatever its lines are', async () => {
    const piece = fc.oneof(
      fc.nat(9).map((n) => line(n)),
      fc.constantFrom('', ' ', '{', line(7, 200_000), JSON.stringify('y'.repeat(600_000)), JSON.stringify('z'.repeat(1_400_000))),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 14 }), fc.constantFrom('\n', '\r\n'), fc.boolean(), async (pieces, end, ends) => {
        const { result, keys } = await read(pieces.join(end) + (ends ? end : ''));
        const held = pieces.map((text, i) => ({ text, key: `b:${i + 1}` })).filter(({ text }) => text.trim() !== '');
        const valid = held.filter(({ text }) => text.startsWith('{"n"'));
        expect(keys).toEqual(valid.map(({ key }) => key));
        expect(result).toMatchObject({ lines: held.length, accepted: valid.length, refused: held.length - valid.length });
      }),
      { numRuns: 60 },
    );
  });
});

describe('an upload', () => {
  it.each([
    ['that is not there', undefined, /is not there/],
    ['that is too large', { bytes: MAX_UPLOAD_BYTES + 1, etag: 'e' }, /more than 1073741824/],
  ])('%s ends the run', async (_, file, message) => {
    const uploads = { find: async () => file, read: async () => new Uint8Array() };
    const batch = batchWorkflow({ uploads: async () => uploads, starts: memoryStarts(), registry: () => registry([take]) });
    await expect(batch.run({ upload: UPLOAD, workflow: 'take', batch: 'b' })).rejects.toThrow(message);
  });
});

it('a batch whose worker failed in the middle goes on, and every line has one key', async () => {
  let calls = 0;
  const t = testApi({
    workflows: [take],
    startFault: () => {
      if (++calls === 2) throw new Error('the queue is away');
    },
  });
  const entropy = seededEntropy(3);
  const { store, payloads, wake, clock, registry: registered } = t;
  const worker = createWorker({ store, payloads, wake, clock, entropy, registry: registered, observe: () => {}, services: {} });
  const count = 12_000;
  t.uploads.put('acme', UPLOAD, Array.from({ length: count }, (_, i) => line(i)).join('\n'));
  const { body } = await t.call('POST', '/v1/workflows/take/batches', { json: { upload: UPLOAD }, headers: { 'Holdfast-Tenant': 'acme' } });
  for (let round = 0; round < 20; round++) {
    const messages = wake
      .take()
      .map(({ run }) => ({ id: entropy.id(), queue: 'wake' as const, body: JSON.stringify({ run }), receiveCount: 1 }));
    await t.whileTimePasses(worker.handle(messages, { deadline: clock.now() + 30_000, owner: entropy.id(), done: () => {} }));
    const run = (await t.call('GET', `/v1/runs/${body.id}`)).body;
    if (run.status === 'succeeded') {
      expect(run.workflow).toBe(BATCH_WORKFLOW);
      expect(run.result).toEqual({ lines: count, accepted: count, refused: 0, errors: [] });
      break;
    }
    clock.advance(60_000);
  }
  expect((await t.call('GET', `/v1/runs/${body.id}`)).body.status).toBe('succeeded');
  expect(calls).toBe(4);
  expect(new Set(t.starts.sent.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(count);
  expect(t.starts.sent.every(({ tenant }) => tenant === 'acme')).toBe(true);
});
