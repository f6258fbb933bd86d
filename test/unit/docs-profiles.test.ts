/** docs/profiles.md tells each profile as it is. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as profiles from '../../src/http/profiles/index.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs/profiles.md'), 'utf8');

test.each(Object.entries(profiles))('the page tells of %s what its data says', (name, profile) => {
  const line = page.split('\n').find((one) => one.startsWith(`| \`${name}\` |`)) ?? '';
  const [, , key = '', errors = '', , besides = ''] = line.split('|').map((cell) => cell.trim());
  const { idempotencyKey: form } = profile;
  expect(key).toBe(form === undefined ? '' : `\`${form.header}\`, ${form.format}`);
  expect(errors).toBe(profile.readError ? 'read' : '');
  const told = [
    profile.headers && 'headers',
    profile.timeout !== undefined && '`timeout`',
    profile.successWhen && '`successWhen`',
    profile.inFlightWhen && '`inFlightWhen`',
    profile.hint && '`hint`',
    profile.shouldRetry && '`shouldRetry`',
    profile.graphql && `GraphQL at \`${profile.graphql}\``,
    profile.routes && `${profile.routes.length} routes`,
  ];
  expect(besides).toBe(told.filter(Boolean).join(', '));
  if (profile.sdk !== 'none') expect(page).toContain(`| \`${name}\` | \`${profile.sdk}\` |`);
  expect(page).toContain(`- **${name}**: `);
});

test('and of no others', () => {
  const rows = [...page.matchAll(/^\| `(\w+)` \|.*\| read \|/gm)].map(([, name]) => name);
  expect(rows.sort()).toEqual(Object.keys(profiles).sort());
});
