/** What `npm run dev` does when files change: other code takes over, and nothing that was under way is lost. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { reloadOnChange } from '../../local/reload.ts';
import { assemble, cloudOf, lambda, type TestCloud, triggered } from './local-stack.ts';

/** Tells its name when it begins and, for `slow`, when it is let go by a file. */
const handler = (name: string, before = '') => `
  import { existsSync } from 'node:fs';
  import { tell } from './tell.mjs';
  ${before}
  export const handler = async ({ Records }) => {
    for (const { body } of Records) {
      tell({ code: ${JSON.stringify(name)}, began: body });
      const gate = JSON.parse(body).gate;
      while (gate && !existsSync(gate)) await new Promise((next) => setTimeout(next, 20));
      tell({ code: ${JSON.stringify(name)}, ended: body });
    }
  };`;

const ended = (cloud: TestCloud, code: string) => cloud.told.filter((fact) => fact.code === code && fact.ended !== undefined).length;

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-reload-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

test('what is being invoked ends in the old code, what comes next is for the new', async () => {
  const gate = join(await folder(), 'gate');
  const cloud = await cloudOf(triggered({ source: handler('old') }, { batchSize: 1 }));
  await cloud.send(JSON.stringify({ gate }));
  await cloud.until(() => cloud.told.length === 1);
  await cloud.reload(await assemble(triggered({ source: handler('new') }, { batchSize: 1 })));
  await cloud.send('{"n":1}', '{"n":2}');
  await cloud.until(() => ended(cloud, 'new') === 2);
  expect(ended(cloud, 'old')).toBe(0);
  await writeFile(gate, '');
  await cloud.until(() => ended(cloud, 'old') === 1);
  expect(cloud.faults).toEqual([]);
});

test('messages that wait in their queue are for the new code', async () => {
  const gate = join(await folder(), 'gate');
  const trigger = { batchSize: 1, concurrency: 2 };
  const cloud = await cloudOf(triggered({ source: handler('old') }, trigger));
  const held = JSON.stringify({ gate });
  await cloud.send(held, held);
  await cloud.until(() => cloud.told.length === 2);
  await cloud.send('{"n":1}', '{"n":2}', '{"n":3}');
  await cloud.reload(await assemble(triggered({ source: handler('new') }, trigger)));
  await writeFile(gate, '');
  await cloud.until(() => ended(cloud, 'old') === 2 && ended(cloud, 'new') === 3);
});

test('code that cannot be loaded changes nothing', async () => {
  const cloud = await cloudOf(triggered({ source: handler('old') }));
  const broken = await assemble(triggered({ source: handler('new', `throw new Error('at load');`) }));
  await expect(cloud.reload(broken)).rejects.toMatchObject({ code: 'E_FUNCTION_START', message: expect.stringContaining('at load') });
  await cloud.send('{}');
  await cloud.until(() => ended(cloud, 'old') === 1);
});

test('another function in the stack takes a new start', async () => {
  const cloud = await cloudOf(triggered({ source: handler('old') }));
  const more = await assemble({ ...triggered({ source: handler('new') }), ...lambda('Second', { source: handler('new') }) });
  await expect(cloud.reload(more)).rejects.toMatchObject({
    code: 'E_TEMPLATE',
    message: expect.stringContaining('functions of the stack have changed'),
  });
});

test('settings of an event source are followed', async () => {
  const gate = join(await folder(), 'gate');
  const cloud = await cloudOf(triggered({ source: handler('old') }, { batchSize: 1, concurrency: 2 }));
  await cloud.reload(await assemble(triggered({ source: handler('new') }, { batchSize: 10, concurrency: 2 })));
  await cloud.send(JSON.stringify({ gate }));
  await cloud.until(() => cloud.told.length === 1);
  await writeFile(gate, '');
  await cloud.until(() => ended(cloud, 'new') === 1);
});

test('changes are gathered, one reload at a time, and what fails is told', async () => {
  const root = await folder();
  await mkdir(join(root, 'workflows'));
  await writeFile(join(root, 'holdfast.config.ts'), '');
  const said: string[] = [];
  const reloads: string[] = [];
  let heard = () => {};
  const until = (enough: () => boolean) =>
    new Promise<void>((resolve) => {
      heard = () => {
        if (enough()) resolve();
      };
      heard();
    });
  const watching = reloadOnChange({
    root,
    folder: join(root, 'assemblies'),
    cloud: { reload: async (dir) => void reloads.push(dir) },
    async synthesise(dir) {
      if (said.some((text) => text.includes('broken.ts'))) throw new Error('workflows/broken.ts: it is broken');
      await mkdir(dir, { recursive: true });
    },
    say(text) {
      said.push(text);
      heard();
    },
  });
  onTestFinished(() => watching.stop());
  await writeFile(join(root, 'workflows', 'a.ts'), 'one');
  await writeFile(join(root, 'workflows', 'b.ts'), 'two');
  await writeFile(join(root, 'workflows', '.b.ts.swp'), 'left by an editor');
  await until(() => said.some((text) => text.startsWith('reloaded')));
  expect(said[0]).toBe(`${join('workflows', 'a.ts')}, ${join('workflows', 'b.ts')} changed: building`);
  await writeFile(join(root, 'holdfast.config.ts'), 'changed');
  await until(() => said.filter((text) => text.startsWith('reloaded')).length === 2);
  expect(said[2]).toBe('holdfast.config.ts changed: building');
  expect(new Set(reloads).size).toBe(2);
  await writeFile(join(root, 'workflows', 'broken.ts'), '');
  await until(() => said.length === 6);
  expect(said[5]).toBe('not reloaded, what ran before goes on:\nworkflows/broken.ts: it is broken');
  expect(reloads).toHaveLength(2);
});
