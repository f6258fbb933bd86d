import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { seal, unseal } from '../../src/http/secrecy/seal.ts';

const key = createSecretKey('the deployment key', 'utf8');

describe('a sealed text', () => {
  it('opens under the same key and for the same purpose', () => {
    for (const text of ['', 'plain', 'ünïcødé 🔑', 'x'.repeat(100_000)])
      expect(unseal(key, 'journal', seal(key, 'journal', text))).toBe(text);
  });

  it('is another one each time, and shows nothing of the text', () => {
    const [one, two] = [seal(key, 'journal', 'correct horse battery'), seal(key, 'journal', 'correct horse battery')];
    expect(one).not.toBe(two);
    expect(Buffer.from(one, 'base64url').toString('latin1')).not.toContain('horse');
  });

  it.each([
    ['under another key', () => unseal(createSecretKey('another', 'utf8'), 'journal', seal(key, 'journal', 'text'))],
    ['for another purpose', () => unseal(key, 'account', seal(key, 'journal', 'text'))],
    [
      'when it was changed',
      () =>
        unseal(
          key,
          'journal',
          seal(key, 'journal', 'text').replace(/\.(.)/, (_, first) => `.${first === 'A' ? 'B' : 'A'}`),
        ),
    ],
    ['when it was cut', () => unseal(key, 'journal', seal(key, 'journal', 'text').slice(0, 12))],
    ['when it never was one', () => unseal(key, 'journal', 'text')],
  ])('does not open %s', (_how, open) => {
    expect(open).toThrow(expect.objectContaining({ code: 'E_SEALED' }));
  });
});
