/** The demo API as a program of its own: what it has answered survives its being killed. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { demoTokens } from '../../local/demo/server.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'local', 'demo', 'server.ts');
const cleanUp: Array<() => unknown> = [];

afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end();
});

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-demo-'));
  cleanUp.push(() => rm(dir, { recursive: true }));
  return dir;
}

async function start(data: string): Promise<{ url: string; child: ChildProcess }> {
  const child = fork(PROGRAM, ['--port', '0', '--faults', 'off', '--data', data], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  cleanUp.push(() => end(child, 'SIGKILL'));
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  return { url, child };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

async function note(url: string, key: string, text = 'hello'): Promise<Response> {
  return fetch(`${url}/crm/notes`, {
    method: 'POST',
    headers: { authorization: `Bearer ${demoTokens().crm}`, 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ domain: 'acme.example', text }),
  });
}

async function effects(url: string): Promise<unknown> {
  return ((await (await fetch(`${url}/_demo/effects`)).json()) as { items: unknown }).items;
}

test('effects and their idempotency keys survive a kill', async () => {
  const data = await folder();
  const first = await start(data);
  const made = await (await note(first.url, 'k-1')).json();
  await end(first.child, 'SIGKILL');
  const second = await start(data);
  expect(await effects(second.url)).toEqual([{ effect: 'note', customer: 'acme.example', count: 1 }]);
  const again = await note(second.url, 'k-1');
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(await again.json()).toEqual(made);
  expect((await note(second.url, 'k-1', 'changed')).status).toBe(422);
  expect(await effects(second.url)).toEqual([{ effect: 'note', customer: 'acme.example', count: 1 }]);
});

test('a line that was torn by the kill was never answered, and is dropped', async () => {
  const data = await folder();
  const first = await start(data);
  await note(first.url, 'k-1');
  await end(first.child, 'SIGKILL');
  const log = join(data, 'demo-api.ndjson');
  const whole = await readFile(log, 'utf8');
  await appendFile(log, '["notes",{"domain":"torn.exam');
  const second = await start(data);
  expect(await effects(second.url)).toEqual([{ effect: 'note', customer: 'acme.example', count: 1 }]);
  expect(await readFile(log, 'utf8')).toBe(whole);
  await note(second.url, 'k-2');
  await end(second.child, 'SIGKILL');
  const third = await start(data);
  expect(await effects(third.url)).toEqual([{ effect: 'note', customer: 'acme.example', count: 2 }]);
});

test('it ends with its parent, and when it is asked to', async () => {
  const data = await folder();
  const asked = await start(data);
  await end(asked.child, 'SIGTERM');
  expect(asked.child.exitCode).toBe(0);
  const orphan = await start(data);
  const gone = once(orphan.child, 'exit');
  orphan.child.disconnect();
  expect((await gone)[0]).toBe(0);
});
