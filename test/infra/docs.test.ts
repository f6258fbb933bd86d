/** The pages on settings and deployment say what the schema, the sources and the template say. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import config from '../../holdfast.config.ts';
import { ROOT } from '../../infra/bundle.ts';
import { type Config, resolveStage, StageSchema } from '../../infra/config.ts';
import { type Resources as CostResources, idleCost } from '../../infra/cost/idle.ts';
import { codeBlocks } from '../readme/blocks.ts';
import { type Resource, resources, templateOf } from './support/template.ts';

const HASH = 'ab'.repeat(32);
const page = (name: string) => readFileSync(join(ROOT, 'docs', name), 'utf8');

type Schema = { type?: string; properties?: Record<string, Schema>; default?: unknown };

/** `worker.memory` → its schema; a group is its members. */
function fields(schema: Schema, prefix = ''): Map<string, Schema> {
  const found = new Map<string, Schema>();
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    if (member.properties) for (const [path, field] of fields(member, `${prefix}${name}.`)) found.set(path, field);
    else found.set(`${prefix}${name}`, member);
  }
  return found;
}

/** The rows of a table whose first cell is code: the names in it, and the other cells. */
function rows(text: string): Array<{ names: string[]; cells: string[] }> {
  return [...text.matchAll(/^\| (`.+?) \|(.*)\|$/gm)].map(([, first = '', rest = '']) => ({
    names: [...first.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
    cells: rest.split('|').map((cell) => cell.trim()),
  }));
}

describe('the page of settings', () => {
  const [, settings = '', variables = ''] = page('settings.md').split(/^## .+$/m);
  const schema = fields(z.toJSONSchema(StageSchema, { io: 'input', unrepresentable: 'any' }) as Schema);

  it('has every field of a stage, and none that is not there', () => {
    expect(rows(settings).flatMap(({ names }) => names)).toEqual([...schema.keys()]);
  });

  it('has the defaults that the schema has', () => {
    const said = Object.fromEntries(rows(settings).map(({ names, cells }) => [names[0], cells[0]?.replaceAll('`', '')]));
    const meant = Object.fromEntries(
      [...schema].map(([path, field]) => [path, field.default === undefined ? '' : JSON.stringify(field.default)]),
    );
    expect(said).toEqual(meant);
  });

  it('says unit and limits of every number', () => {
    for (const { names, cells } of rows(settings)) {
      if (schema.get(names[0] ?? '')?.type === 'integer')
        expect(cells[1]).toMatch(/^(MB|seconds|messages|invocations|days|requests|runs)\b/);
    }
  });

  it('has every variable that the sources read, and none that they do not', () => {
    const OTHER = new Set([
      'HOLDFAST_GUARD', // the code of an error
      'HOLDFAST_DEPLOYMENT_KEY', // a secret's name in a file
      'HOLDFAST_CLI_NODE', // from one process of the command line to the next
    ]);
    const files = globSync(['{src,functions,infra,local,cli,test/support/localstack}/**/*.{ts,mjs}', '*.ts', 'compose.yaml'], {
      cwd: ROOT,
    });
    const read = new Set<string>();
    for (const file of files) {
      const text = readFileSync(join(ROOT, file), 'utf8').replace(/^\s*(\/?\*|\/\/).*$/gm, '');
      for (const [name] of text.matchAll(/\bHOLDFAST_[A-Z\d_]+/g)) read.add(name.replace(/^(HOLDFAST_(?:VAR|SECRET)_).*$/, '$1<NAME>'));
    }
    // What reports are written for is the gate's business.
    read.delete('HOLDFAST_TEST_REPORT');
    const named = new Set(rows(variables).flatMap(({ names }) => names));
    expect([...named].sort()).toEqual([...read].filter((name) => !OTHER.has(name)).sort());
  });
});

it.each(['settings.md', 'deploy.md'])('the stages that %s shows are stages', (name) => {
  const blocks = codeBlocks(page(name)).filter(({ language }) => language === 'ts');
  expect(blocks).not.toHaveLength(0);
  for (const { code } of blocks) {
    const stages = new Function(`${code}; return stages;`)() as Config['stages'];
    for (const stage of Object.keys(stages)) resolveStage({ stages }, stage, { HOLDFAST_API_TOKEN_SHA256: HASH });
  }
});

describe('the page of deployment', () => {
  const text = page('deploy.md');
  const template = templateOf(config, 'prod', { HOLDFAST_API_TOKEN_SHA256: HASH });
  const all = template.toJSON().Resources as Record<string, Resource>;

  it('lists what stays after destroy, and nothing else', () => {
    const section = text.split(/^## .*stays.*$/m)[1]?.split(/^## /m)[0] ?? '';
    const kept = Object.values(all)
      .filter(({ DeletionPolicy }) => DeletionPolicy?.startsWith('Retain'))
      .map(({ Properties }) => nameOf(Properties));
    expect(
      rows(section)
        .flatMap(({ names }) => names)
        .sort(),
    ).toEqual(kept.sort());
  });

  it('gives a deployer’s policy that allows what the commands ask for themselves', () => {
    const policy = codeBlocks(text)
      .filter(({ language }) => language === 'json')
      .map(({ code }) => JSON.parse(code) as { Statement?: Array<{ Action: string | string[] }> })
      .find(({ Statement }) => Statement);
    const allowed = new Set(policy?.Statement?.flatMap(({ Action }) => Action));
    const called = globSync('infra/commands/*.ts', { cwd: ROOT }).flatMap((file) =>
      [...readFileSync(join(ROOT, file), 'utf8').matchAll(/new (\w+)Command\(|(?:await|of) paginate(\w+)\(/g)].map(
        ([, one, many]) => one ?? many ?? '',
      ),
    );
    expect(called).not.toHaveLength(0);
    for (const action of called) expect(allowed).toContain(permission(action));
  });

  it('says what an idle stack costs', () => {
    const { usd } = idleCost(all as unknown as CostResources);
    expect(text).toContain(`$${usd.toFixed(2)}`);
  });

  it('says how many of each kind of resource there are', () => {
    const [, section = ''] = text.split(/^## What is created$/m);
    for (const [type, count, words] of [
      ['AWS::SQS::Queue', 3, 'three queues'],
      ['AWS::Lambda::Function', 4, 'four functions'],
      ['AWS::DynamoDB::Table', 2, 'two tables'],
      ['AWS::CloudWatch::Alarm', 7, 'seven alarms'],
    ] as const) {
      expect(section.toLowerCase()).toContain(words);
      expect(Object.keys(resources(template, type))).toHaveLength(count);
    }
  });
});

/** As the page writes it: for any stage, account and region. */
function nameOf(properties: Record<string, unknown>): string {
  const given = properties.QueueName ?? properties.TableName ?? properties.BucketName ?? properties.Name;
  const text = typeof given === 'string' ? given : (given as { 'Fn::Join': [string, unknown[]] })['Fn::Join'][1].map(part).join('');
  return text.replace(/\bprod\b/, '<stage>');
}

const part = (value: unknown) =>
  typeof value === 'string'
    ? value
    : `<${String((value as { Ref: string }).Ref)
        .replace('AWS::', '')
        .replace('Id', '')
        .toLowerCase()}>`;

/** In IAM's words, which are others than the API's for a few actions of S3. */
function permission(action: string): string {
  if (action in S3) return `s3:${S3[action]}`;
  return `${action.includes('Secret') ? 'secretsmanager' : 'cloudformation'}:${action}`;
}

const S3: Record<string, string> = { ListObjectsV2: 'ListBucket', DeleteObjects: 'DeleteObject' };
