/** The operating guide has a section for each alarm, says how many periods it looks at, and names what is there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../infra/bundle.ts';
import { resources, templateOf } from './support/template.ts';

const page = readFileSync(join(ROOT, 'docs', 'operate.md'), 'utf8');
const [, alarmsOnPage = ''] = page.split(/^## Alarms$/m);
const sections = new Map(
  (alarmsOnPage.split(/^## /m)[0] ?? '')
    .split(/^### Alarm /m)
    .slice(1)
    .map((section) => [section.split('\n')[0] ?? '', section] as const),
);

type Alarm = { AlarmName: string; Threshold: number; EvaluationPeriods: number };

const alarmsOf = (coverage: 'essential' | 'full') =>
  Object.values(
    resources(
      templateOf({ stages: { ops: { auth: { tokenHashes: ['ab'.repeat(32)] }, alarms: { coverage } } } }, 'ops'),
      'AWS::CloudWatch::Alarm',
    ),
  ).map(({ Properties }) => {
    const { AlarmName, ...rest } = Properties as unknown as Alarm;
    return { name: AlarmName.slice('holdfast-ops-'.length), ...rest };
  });

const all = alarmsOf('full');
const essential = new Set(alarmsOf('essential').map(({ name }) => name));

describe('the operating guide', () => {
  it('has a section for each alarm, at the anchor that its description names, and no other', () => {
    expect([...sections.keys()].sort()).toEqual(all.map(({ name }) => name).sort());
  });

  it('says which are essential', () => {
    for (const [name, text] of sections) expect(/^\*Essential\./m.test(text), name).toBe(essential.has(name));
  });

  it.each(all)('says for how long $name must last', ({ name, EvaluationPeriods }) => {
    const [first = ''] = (sections.get(name) ?? '').split('\n').filter((line) => line.startsWith('*'));
    const said = /quarter of an hour/.test(first) ? 3 : /ten minutes/.test(first) ? 2 : 1;
    expect(said).toBe(EvaluationPeriods);
  });
});
