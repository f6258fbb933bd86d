/** What a project must not contain to be deployed, each fault with its file and field. */
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../infra/bundle.ts';
import { checkProject } from '../../infra/checks.ts';
import { ConfigError, resolveStage, type StageConfig } from '../../infra/config.ts';
import { project } from './support/project.ts';

const stage = (given: Partial<StageConfig> = {}) =>
  resolveStage(
    { stages: { test: { vars: { crm: 'https://crm.example' }, auth: { tokenHashes: ['ab'.repeat(32)] }, ...given } } },
    'test',
    {},
  );

const workflow = (constant: string, name: string, more = '') =>
  `import { workflow } from 'holdfast';\nexport const ${constant} = workflow({ name: '${name}', ${more} async run() {} });\n`;
const connection = (constant: string, name: string, more = '') =>
  `import { connection } from 'holdfast';\nexport const ${constant} = connection({ name: '${name}', baseUrl: 'https://${name}.example', ${more} });\n`;

/** A project without faults, with `files` in place of its own. */
const sound = (files: Record<string, string> = {}) =>
  project({
    'workflows/greet.ts': workflow('greet', 'greet'),
    'workflows/index.ts': `import { greet } from './greet.ts';\nexport const workflows = [greet];\n`,
    'connections/crm.ts': connection('crm', 'crm'),
    'connections/index.ts': `import { crm } from './crm.ts';\nexport const connections = [crm];\n`,
    ...files,
  });

const faults = async (root: string, given = stage()): Promise<string[]> => {
  try {
    await checkProject(root, given);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
};

describe('a project', () => {
  it('that has no faults is passed, this one included', async () => {
    expect(await faults(sound())).toEqual([]);
    const names = ['crm', 'billing', 'mailer', 'registry', 'site', 'summariser'];
    const vars = Object.fromEntries(names.map((name) => [name, `https://${name}.example`]));
    expect(await faults(ROOT, stage({ vars }))).toEqual([]);
  });

  it('may have files that are no workflows, tests, and older versions that are listed by the newer', async () => {
    const root = sound({
      'workflows/shared/words.ts': `export const hello = 'hello';\n`,
      'workflows/greet.test.ts': `throw new Error('a test was loaded');\n`,
      'workflows/greet-1.ts': workflow('greet1', 'greet'),
      'workflows/greet.ts': `import { greet1 } from './greet-1.ts';\n${workflow('greet', 'greet', 'version: 2, previous: [greet1],')}`,
    });
    expect(await faults(root)).toEqual([]);
  });
});

describe('is refused', () => {
  it('a workflow that is registered twice, with the files it is in', async () => {
    const root = sound({
      'workflows/greet-again.ts': workflow('again', 'greet'),
      'workflows/index.ts': `import { greet } from './greet.ts';\nimport { again } from './greet-again.ts';\nexport const workflows = [greet, again];\n`,
    });
    expect(await faults(root)).toEqual([
      expect.stringMatching(
        /^workflows\/index\.ts: name: workflow "greet" is registered twice: .+ \(workflows\/greet-again\.ts, workflows\/greet\.ts\)$/,
      ),
    ]);
  });

  it('a workflow whose name is for built-in ones', async () => {
    const root = sound({ 'workflows/greet.ts': workflow('greet', 'holdfast-greet') });
    expect(await faults(root)).toEqual([
      'workflows/greet.ts: name: "holdfast-greet" begins with "holdfast-", which built-in workflows do: give it another name',
    ]);
  });

  it('a connection that is registered twice, with the files it is in', async () => {
    const root = sound({
      'connections/other.ts': connection('other', 'crm'),
      'connections/index.ts': `import { crm } from './crm.ts';\nimport { other } from './other.ts';\nexport const connections = [crm, other];\n`,
    });
    expect(await faults(root)).toEqual([
      'connections/index.ts: name: connection "crm" is registered twice: give one another name (connections/crm.ts, connections/other.ts)',
    ]);
  });

  it('a workflow in a file that is not listed', async () => {
    expect(await faults(sound({ 'workflows/later.ts': workflow('later', 'later') }))).toEqual([
      'workflows/later.ts: workflows: "later" is not listed in workflows/index.ts: add it to the list there, or delete it',
    ]);
  });

  it('a connection in a file that is not listed', async () => {
    expect(await faults(sound({ 'connections/deep/billing.ts': connection('billing', 'billing') }))).toEqual([
      'connections/deep/billing.ts: connections: "billing" is not listed in connections/index.ts: add it to the list there, or delete it',
    ]);
  });

  it('a call that could take longer than its function, by default or by a route', async () => {
    const root = sound({
      'connections/crm.ts': connection('crm', 'crm', `timeout: '2m', routes: [{ path: '/reports/:id', timeout: '5m' }],`),
    });
    expect(await faults(root)).toEqual([
      'connections/crm.ts: timeout: a call of connection "crm" may take 300000 ms, and the worker of stage "test" ends after 180 s: ' +
        'shorten it to at most 178000 ms, or raise stages.test.worker.timeout in holdfast.config.ts',
    ]);
    expect(await faults(root, stage({ worker: { timeout: 302 } }))).toEqual([]);
  });

  it('an invalid option or a bad duration, once, under the file and field that it is in', async () => {
    const root = sound({
      'connections/crm.ts': connection('crm', 'crm', `timeout: '3 fortnights',`),
      'workflows/greet.ts': `import { crm } from '../connections/crm.ts';\n${workflow('greet', 'greet', 'description: typeof crm,')}`,
    });
    expect(await faults(root)).toEqual([
      expect.stringMatching(/^connections\/crm\.ts: connection "crm": timeout: "3 fortnights" is not a duration/),
    ]);
  });

  it('a workflow with an invalid name', async () => {
    expect(await faults(sound({ 'workflows/greet.ts': workflow('greet', 'Greet!') }))).toEqual([
      expect.stringMatching(/^workflows\/greet\.ts: name: workflow "Greet!": name must be 1–64 characters/),
    ]);
  });

  it('a variable that the stage does not have', async () => {
    const root = sound({
      'connections/crm.ts': `import { connection, vars } from 'holdfast';\nexport const crm = connection({ name: 'crm', baseUrl: vars('crm') });\n`,
    });
    expect(await faults(root)).toEqual([]);
    expect(await faults(root, stage({ vars: {} }))).toEqual([
      `connections/crm.ts: vars('crm'): stage "test" has no such variable: add stages.test.vars.crm to holdfast.config.ts`,
    ]);
  });

  it('a list that is none, or holds something else', async () => {
    expect(await faults(sound({ 'workflows/index.ts': `export * from './greet.ts';\n` }))).toEqual([
      'workflows/index.ts: workflows: must be a list: export const workflows = [ … ]',
    ]);
    expect(
      await faults(sound({ 'connections/index.ts': `import { crm } from './crm.ts';\nexport const connections = [crm, {}];\n` })),
    ).toEqual(['connections/index.ts: connections[1]: is not what connection({ … }) returns']);
  });

  it('a folder without its index', async () => {
    const root = project({ 'workflows/index.ts': 'export const workflows = [];\n' });
    expect(await faults(root)).toEqual([
      'connections/index.ts: connections: the file is missing: it must export const connections = [ … ]',
    ]);
  });

  it('everything at once', async () => {
    const root = sound({
      'workflows/later.ts': workflow('later', 'later'),
      'connections/crm.ts': connection('crm', 'crm', `timeout: '10m',`),
    });
    expect((await faults(root)).map((line) => line.split(': ', 2).join(': '))).toEqual([
      'connections/crm.ts: timeout',
      'workflows/later.ts: workflows',
    ]);
  });
});
