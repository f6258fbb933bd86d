/** Ways in which a request goes well, some of them strange. */
import { chunked, dateOf, head, packed, whole } from './answers.ts';
import type { Context, Dice, Fate, Step } from './fate.ts';

type Way = (context: Context, dice: Dice) => readonly Step[];

const hints = head(103, [['Link', '</style.css>; rel=preload']]);

export const SUCCESSES: ReadonlyArray<readonly [string, Way]> = [
  ['ok', (context) => whole(context, 200)],
  ['ok, 201', (context) => whole(context, 201)],
  ['ok, 202 with Retry-After', (context) => whole(context, 202, [['Retry-After', '3600']])],
  ['ok, 204', (context) => whole(context, 204)],
  ['ok, 206', (context) => whole(context, 206)],
  ['ok, chunked', (context) => chunked(context, [], [context.body.slice(0, 3), context.body.slice(3)])],
  ['ok, chunked with extensions and trailers', (context) => chunkedOddly(context)],
  ['ok, one byte a segment', (context) => bytewise(whole(context, 200))],
  ['ok, gzip', (context) => packed(context, 'gzip')],
  ['ok, br', (context) => packed(context, 'br')],
  ['ok, deflate', (context) => packed(context, 'deflate')],
  ['ok, until the connection closes', (context) => untilClosed(context)],
  ['ok, connection: close', (context) => [...whole(context, 200, [['Connection', 'close']]), { close: 'fin' }]],
  ['ok, reset once it is whole', (context) => [...whole(context, 200, [['Connection', 'close']]), { close: 'reset' }]],
  ['ok, early hints', (context) => [{ send: hints }, { wait: 500 }, ...whole(context, 200)]],
  ['ok, a flood of 1xx', (context) => [{ pour: Buffer.from(head(102, []).repeat(50)), times: 10 }, ...whole(context, 200)]],
  ['ok, late', (context, dice) => [{ wait: dice.whole(500, 14_000) }, ...whole(context, 200)]],
  ['ok, late within the body', (context, dice) => late(context, dice.whole(100, 4_500))],
  ['ok, dripped in time', (context) => dripped(context)],
  ['ok, more bytes than said', (context) => [...whole(context, 200), { send: 'and more' }]],
  ['ok, the door shut (FIN) on the next request', (context) => [...whole(context, 200), { door: 'fin' }]],
  ['ok, the door shut (RST) on the next request', (context) => [...whole(context, 200), { door: 'reset' }]],
  ['ok, keep-alive and yet closed', (context) => [...whole(context, 200, [['Connection', 'keep-alive']]), { close: 'fin' }]],
];

export function success(dice: Dice): Fate {
  // Mostly as usual, so that sockets are used again.
  const [name, way] = dice.random() < 0.4 ? (SUCCESSES[0] as (typeof SUCCESSES)[number]) : dice.pick(SUCCESSES);
  return {
    name,
    at: 'http',
    effect: true,
    answer: (context) => way(context, dice),
    owes: () => ({ row: '2xx', act: 'done' }),
  };
}

function untilClosed(context: Context): Step[] {
  return [
    {
      send: head(200, [
        ['Date', dateOf(context)],
        ['Content-Type', 'application/json'],
        ['Connection', 'close'],
      ]),
    },
    { send: context.body },
    { close: 'fin' },
  ];
}

function late(context: Context, ms: number): Step[] {
  const [{ send }] = whole(context, 200) as [{ send: Buffer }];
  return [{ send: send.subarray(0, -5) }, { wait: ms }, { send: send.subarray(-5) }];
}

/** For 4 s: slow, and nothing to complain of before 5. */
function dripped(context: Context): Step[] {
  const [{ send }] = whole(context, 200) as [{ send: Buffer }];
  const tail = send.subarray(-4);
  return [{ send: send.subarray(0, -4) }, ...[...tail].flatMap((byte) => [{ wait: 1_000 }, { send: Buffer.of(byte) }])];
}

function bytewise(steps: readonly Step[]): Step[] {
  return steps.flatMap((step): Step[] =>
    'send' in step ? [...Buffer.from(step.send)].map((byte) => ({ send: Buffer.of(byte) })) : [step],
  );
}

function chunkedOddly(context: Context): Step[] {
  const [first, ...rest] = chunked(context, [['Trailer', 'X-Sum']], [], '');
  const size = Buffer.byteLength(context.body).toString(16).toUpperCase();
  return [first as Step, ...rest, { send: `000${size};name="value"\r\n${context.body}\r\n` }, { send: '0\r\nX-Sum: 1\r\n\r\n' }];
}
