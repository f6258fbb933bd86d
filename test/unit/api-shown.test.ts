/** What the API shows of a journal: what is sealed by its mark alone, what is named like a credential not at all. */
import { expect, test } from 'vitest';
import { entryView } from '../../src/api/journal-view.ts';
import { shownValue } from '../../src/api/shown.ts';
import type { Entry } from '../../src/engine/journal.ts';

const done = (value: unknown): Entry => ({
  k: 'done',
  op: 'GET crm /',
  at: 0,
  label: 'GET crm /',
  issued: 1,
  hash: 'h',
  value: { text: JSON.stringify(value) },
});

test('a sealed reply is shown with its marks and without its box', () => {
  const reply = { status: 200, headers: {}, text: '{"a":"‹sealed›"}', sealed: { at: [5], box: 'hf1.box' } };
  const { value } = entryView(done(reply), 0);
  expect(value).toEqual({ status: 200, headers: {}, text: '{"a":"‹sealed›"}' });
});

test('a reply that is too long to be shown whole has neither box nor credential in its beginning', () => {
  const reply = {
    status: 200,
    headers: { authorization: 'hunter2' },
    text: `{"password":"hunter2","x":"${'x'.repeat(9_000)}"}`,
    sealed: { box: 'hf1.box' },
  };
  const shown = entryView(done(reply), 0);
  expect(shown).toMatchObject({ truncated: true });
  expect(JSON.stringify(shown)).not.toMatch(/hunter2|hf1/);
});

test('headers, members, URLs and errors are redacted, and numbers of the text stay as they came', () => {
  const reply = {
    status: 200,
    url: 'https://a.example/?access_token=hunter2',
    headers: { 'x-auth-token': 'hunter2', location: 'https://u:hunter2@a.example/' },
    text: '{"refresh_token":"hunter2","id":12345678901234567890}',
  };
  const shown = JSON.stringify(entryView(done(reply), 0));
  expect(shown).not.toContain('hunter2');
  expect(shown).toContain('12345678901234567890');
  const error = { code: 'E_X', message: 'password=hunter2', stack: 'at https://u:hunter2@h', detail: { api_key: 'hunter2' } };
  const failed: Entry = {
    k: 'fail',
    op: 'o',
    at: 0,
    label: 'l',
    issued: 1,
    hash: 'h',
    error,
    attempts: [{ why: 'Bearer hunter2hunter2' }],
  };
  expect(JSON.stringify(entryView(failed, 0))).not.toContain('hunter2');
});

test('results of steps are shown as JSON, without what their names say', () => {
  expect(entryView(done({ id: 7, clientSecret: 'hunter2' }), 0).value).toEqual({ id: 7, clientSecret: '‹redacted›' });
});

test('shows no credential in a body that is not UTF-8, nor in what a header has several of', () => {
  const body = Buffer.from('{"name":"\u00e9","access_token":"SECRET-1"}', 'latin1').toString('base64');
  const shown = shownValue(JSON.stringify({ status: 200, headers: { via: ['Bearer SECRET-123456'] }, base64: body }));
  expect(shown).toEqual({ status: 200, headers: { via: ['Bearer ‹redacted›'] }, base64: '‹redacted›' });
  const image = Buffer.from([0xff, 0xd8, 0xff, 0xe0]).toString('base64');
  expect(shownValue(JSON.stringify({ status: 200, headers: {}, base64: image }))).toMatchObject({ base64: image });
});
