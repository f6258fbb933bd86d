/** What functions log of errors that nobody has written for a log. */
import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { logged } from '../../src/aws/logged-error.ts';

it('has no credentials in message, stack, cause and members', () => {
  const cause = new TypeError('GET https://ada:hunter2@api.example/?api_key=sk_live_1234 failed');
  const error = Object.assign(new Error('Authorization: Bearer abcdefgh12345678', { cause }), {
    code: 'ERR_BAD_REQUEST',
    config: { url: '/x', headers: { Authorization: 'abcdefgh12345678' }, data: '{"password":"hunter2"}' },
  });
  const shown = logged(error);
  expect(shown).toBeInstanceOf(Error);
  expect(inspect(shown, { depth: 9 })).not.toMatch(/hunter2|sk_live|abcdefgh/);
  expect(shown).toMatchObject({ name: 'Error', code: 'ERR_BAD_REQUEST', message: expect.stringMatching(/Bearer ‹redacted›/) as string });
  expect((shown.cause as Error).name).toBe('TypeError');
});

it('is an error also of what is none, and ends where causes go in a circle', () => {
  expect(logged('https://x/?token=abc').message).toBe('https://x/?token=‹redacted›');
  expect(logged(undefined).message).toBe('undefined');
  const error = new Error('a');
  error.cause = error;
  expect(logged(error).message).toBe('a');
});

it('leaves out members that are no data, such as sockets', () => {
  const socket: Record<string, unknown> = {};
  for (let i = 0; i < 50; i++) socket[`m${i}`] = socket;
  expect(logged(Object.assign(new Error('a'), { socket, big: 'x'.repeat(20_000) }))).toMatchObject({
    socket: '‹left out›',
    big: '‹left out›',
  });
});

it('an error whose name is an ordinary member is logged like any other', () => {
  const error = Object.assign(new Error('other side closed'), { name: 'SocketError', code: 'UND_ERR_SOCKET' });
  expect(logged(error)).toMatchObject({ name: 'SocketError', message: 'other side closed', code: 'UND_ERR_SOCKET' });
});
