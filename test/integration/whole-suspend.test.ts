import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from '../support/cloud/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ retryAfter: 30 });
});
afterAll(() => api?.stop());

test('nothing of a run that was put down is left in its process: no context, no timer, no socket in use', async () => {
  const program = fileURLToPath(new URL('../support/cloud/suspended-process.ts', import.meta.url));
  const began = Date.now();
  const { stdout } = await promisify(execFile)(process.execPath, [program], { env: { ...process.env, HOLDFAST_VAR_TEST_API: api.url } });
  const { status, during, contexts, before, after } = JSON.parse(stdout) as {
    status: string;
    during: number;
    contexts: number;
    before: string[];
    after: string[];
  };
  expect(status).toBe('waiting');
  expect(during).toBe(1);
  expect(contexts).toBe(0);
  expect(after).toEqual(before);
  // And nothing kept the process until the 30 s were over.
  expect(Date.now() - began).toBeLessThan(20_000);
});
