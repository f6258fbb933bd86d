/** What goes wrong below HTTP's meaning: broken connections, broken framing, bodies without end, servers without a word. */
import { bomb, type Coding, chunked, dateOf, type HeaderList, head, packed, whole } from './answers.ts';
import { type Context, type Dice, type Fate, type Owed, type Safety, type Step, unlessUnsafe } from './fate.ts';

const broken = (safety: Safety): Owed => ({ row: 'broken after sending', act: unlessUnsafe(safety) });
const unanswered = (safety: Safety): Owed => ({ ...broken(safety), unanswered: true });
const invalid = (safety: Safety): Owed => ({ row: 'invalid HTTP', act: unlessUnsafe(safety), retries: 1 });
const cut = (): Owed => ({ row: '2xx', act: 'done', truncated: true });

type Made = { effect: boolean; on?: 'head' };

function wire(
  name: string,
  owes: (safety: Safety) => Owed,
  answer: (context: Context) => readonly Step[],
  made: Made = { effect: true },
): Fate {
  return { name, at: 'http', owes, answer, ...made };
}

const raw = (send: string | Buffer): Step[] => [{ send }, { close: 'fin' }];
const MEGABYTE = Buffer.alloc(1 << 20, 'x');
const closings = ['fin', 'reset'] as const;
const text = (headers: HeaderList, body = ''): string => head(200, headers) + body;

/** Not HTTP, or not as it should be. */
const INVALID: ReadonlyArray<readonly [string, (context: Context) => readonly Step[]]> = [
  ['an SSH banner', () => raw('SSH-2.0-OpenSSH_9.6\r\n\r\n')],
  ['HTTP/9.9', () => raw('HTTP/9.9 200 OK\r\n\r\n')],
  ['status 99999', () => raw('HTTP/1.1 99999 OK\r\ncontent-length: 0\r\n\r\n')],
  ['a status of letters', () => raw('HTTP/1.1 two OK\r\ncontent-length: 0\r\n\r\n')],
  ['a TLS alert', () => raw(Buffer.of(0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28))],
  ['a header without a colon', () => raw('HTTP/1.1 200 OK\r\nno colon here\r\ncontent-length: 0\r\n\r\n')],
  ['a NUL in a header', () => raw('HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n')],
  [
    'two lengths',
    (context) =>
      raw(
        text(
          [
            ['Content-Length', '2'],
            ['Content-Length', '5'],
          ],
          context.body,
        ),
      ),
  ],
  ['a negative length', () => raw(text([['Content-Length', '-5']], 'hello'))],
  ['a length of letters', () => raw(text([['Content-Length', 'five']], 'hello'))],
  ['a chunk size of letters', (context) => [...chunked(context, [], [], ''), { send: 'zz\r\nhello\r\n0\r\n\r\n' }, { close: 'fin' }]],
  ['a chunk longer than said', (context) => [...chunked(context, [], [], ''), { send: '2\r\nhello\r\n0\r\n\r\n' }, { close: 'fin' }]],
  [
    'a flood of headers',
    () => [{ send: 'HTTP/1.1 200 OK\r\n' }, { pour: Buffer.from('x-flood: yes\r\n'.repeat(500)), times: 1_000 }, { close: 'fin' }],
  ],
  ['a header of 1 MB', () => [{ send: 'HTTP/1.1 200 OK\r\nx-long: ' }, { pour: MEGABYTE, times: 1 }, { close: 'fin' }]],
  ['gzip that is not', (context) => whole(context, 200, [['Content-Encoding', 'gzip']])],
  ['gzip cut short', (context) => packed(context, 'gzip', (bytes) => bytes.subarray(0, -6))],
  ['gzip with a wrong sum', (context) => packed(context, 'gzip', (bytes) => Buffer.concat([bytes.subarray(0, -8), Buffer.alloc(8, 7)]))],
];

export const WIRES: readonly ((dice: Dice) => Fate)[] = [
  (dice) => wire('closed on the head', unanswered, () => [{ close: dice.pick(closings) }], { effect: false, on: 'head' }),
  (dice) => wire('closed before the effect', unanswered, () => [{ close: dice.pick(closings) }], { effect: false }),
  (dice) => wire('closed after the effect', unanswered, () => [{ close: dice.pick(closings) }]),
  (dice) => wire('closed after the effect, late', unanswered, () => [{ wait: dice.whole(1, 14_000) }, { close: dice.pick(closings) }]),
  (dice) =>
    wire('closed within the head', broken, () => [{ send: 'HTTP/1.1 200 OK\r\nconte' }, { wait: 10 }, { close: dice.pick(closings) }]),
  (dice) =>
    wire('closed within the body', broken, () => [
      { send: text([['Content-Length', '100']], 'half') },
      { wait: 10 },
      { close: dice.pick(closings) },
    ]),
  (dice) =>
    wire('closed within the chunks', broken, (context) => [
      ...chunked(context, [], ['{"half":'], ''),
      { wait: 10 },
      { close: dice.pick(closings) },
    ]),
  () => wire('early hints, then closed', broken, () => [{ send: head(103, []) }, { wait: 10 }, { close: 'fin' }]),
  // RFC 9110, 15.2 would have it ignored; undici takes it for a broken connection, and so nobody knows.
  () => wire('100 unasked', broken, (context) => [{ send: head(100, []) }, ...whole(context, 200)]),
  () => wire('never an answer', broken, () => [{ silence: true }]),
  () => wire('half a head, then nothing', broken, () => [{ send: 'HTTP/1.1 200 OK\r\nconte' }, { silence: true }]),
  () => wire('a head, then nothing', broken, () => [{ send: text([['Content-Length', '100']]) }, { silence: true }]),
  () =>
    wire('half a body, then nothing', broken, (context) => [
      { send: text([['Content-Length', '100']], context.body.slice(0, 9)) },
      { silence: true },
    ]),
  () =>
    wire('a byte a second', broken, () => [
      { send: text([['Content-Length', '100000']]) },
      { drip: Buffer.from('x'), every: 1_000, times: 100_000 },
    ]),
  () =>
    wire('a byte every 6 s', broken, () => [
      { send: text([['Content-Length', '100000']]) },
      { drip: Buffer.from('x'), every: 6_000, times: 100_000 },
    ]),
  () =>
    wire('a body that takes for ever', broken, (context) => [
      { send: text([['Date', dateOf(context)]]) },
      { drip: Buffer.alloc(1_600, 'x'), every: 1_000, times: 100_000 },
    ]),
  () => wire('1xx for ever', broken, () => [{ drip: Buffer.from(head(102, [])), every: 1_000, times: 100_000 }]),
  (dice) => {
    const [name, answer] = dice.pick(INVALID);
    return wire(`invalid: ${name}`, invalid, answer);
  },
  (dice) => {
    const [name, answer] = dice.pick(INVALID);
    return wire(`invalid: ${name}`, invalid, answer);
  },
  (dice) => {
    const coding = dice.pick<Coding>(['gzip', 'br', 'deflate']);
    return wire(`a bomb of ${coding}`, cut, (context) => bomb(context, coding));
  },
  () => wire('64 MB', cut, () => [{ send: text([['Content-Length', String(64 << 20)]]) }, { pour: MEGABYTE, times: 64 }]),
  () => wire('endless', cut, () => [{ send: text([]) }, { pour: MEGABYTE, times: Number.POSITIVE_INFINITY }]),
];
