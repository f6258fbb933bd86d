/** Every status row of the classification table, with its headers. */
import { type HeaderList, whole } from './answers.ts';
import { type Act, type Dice, type Fate, type Owed, type Safety, unlessUnsafe } from './fate.ts';
import { FOR_EVER, type Hint, hint, past, UNREADABLE } from './waiting.ts';

type Status = {
  headers?: HeaderList;
  hint?: Hint;
  /** It happened although the answer does not say so. Default: as the dice fall where nobody can know, otherwise not. */
  effect?: boolean;
  rotates?: true;
  body?: string;
};

function answered(name: string, status: number, owes: (safety: Safety) => Owed, more: Status = {}): Fate {
  const { hint: wanted, effect = false, body } = more;
  return {
    name: wanted === undefined ? name : `${name}, ${wanted.name}`,
    at: 'http',
    effect,
    ...(more.rotates ? { rotates: true } : {}),
    answer: (context) => whole(context, status, [...(more.headers ?? []), ...(wanted?.headers(context) ?? [])], body ?? '{"title":"no"}'),
    owes,
  };
}

const owed =
  (row: string, act: Act | ((safety: Safety) => Act), more: Omit<Owed, 'row' | 'act'> = {}) =>
  (safety: Safety): Owed => ({ row, act: typeof act === 'string' ? act : act(safety), ...more });

const timed = ({ delay }: Hint): { hint?: number } => (delay > 0 ? { hint: delay } : {});
const flag = (name: string, value: string): HeaderList => [[name, value]];
const INTERNAL = [
  'http://169.254.169.254/latest/meta-data/',
  'http://127.0.0.1:9001/2018-06-01/runtime/invocation/next',
  'http://[::ffff:10.0.0.1]/',
  '//localhost/',
  'file:///etc/passwd',
];

/** A status that means nothing was done for certain, or that nobody knows. */
const maybe = (dice: Dice): Pick<Status, 'effect'> => ({ effect: dice.random() < 0.5 });

export const STATUSES: readonly ((dice: Dice) => Fate)[] = [
  (dice) => {
    const status = dice.pick([400, 402, 404, 405, 410, 422]);
    return answered('other 4xx', status, owed('other 4xx', 'fail'), { headers: dice.random() < 0.3 ? flag('Retry-After', '60') : [] });
  },
  () => answered('401, and the credential has changed', 401, owed('401 with managed token', 'refresh'), { rotates: true }),
  () => answered('403', 403, owed('other 4xx', 'fail')),
  (dice) => {
    const wanted = hint(dice);
    return answered('403 with a hint', 403, owed('403 with quota markers', 'wait', timed(wanted)), { hint: wanted });
  },
  (dice) => answered('408 421 425', dice.pick([408, 421, 425]), owed('408 425 421', 'retry', { fresh: true })),
  () => answered('409', 409, owed('409', 'fail')),
  () =>
    answered(
      '409 in flight',
      409,
      (safety) => (safety === 'keyed' ? { row: '409 in flight', act: 'retry', retries: 5, hint: 1_000 } : { row: '409', act: 'fail' }),
      { body: '{"in":"flight"}' },
    ),
  (dice) => answered('413 423 424', dice.pick([413, 423, 424]), owed('other 4xx', 'fail')),
  (dice) => {
    const wanted = hint(dice);
    const row = wanted.quota ? owed('other 4xx', 'fail') : owed('413 423 424 with Retry-After', 'wait', timed(wanted));
    return answered('413 423 424 with a hint', dice.pick([413, 423, 424]), row, { hint: wanted });
  },
  (dice) => throttled(dice, hint(dice)),
  (dice) => throttled(dice, hint(dice)),
  (dice) => throttled(dice, hint(dice)),
  (dice) => throttled(dice, dice.pick(UNREADABLE)),
  (dice) => throttled(dice, past),
  (dice) => throttled(dice, { name: 'none', delay: 0, headers: () => [] }),
  (dice) => {
    const wanted = dice.pick(FOR_EVER)(365 * 86_400);
    return answered('throttled for ever', dice.pick([420, 429, 503, 529]), owed('throttle', 'wait', { hint: Number.POSITIVE_INFINITY }), {
      hint: wanted,
    });
  },
  (dice) => {
    const wanted = hint(dice);
    return answered('503 with a hint', 503, owed('throttle', 'wait', timed(wanted)), { hint: wanted });
  },
  (dice) => answered('503', 503, owed('503 without a hint', unlessUnsafe), maybe(dice)),
  (dice) => answered('500', 500, owed('500', unlessUnsafe, { retries: 3 }), maybe(dice)),
  (dice) => {
    const wait = dice.whole(1, 100);
    return answered('500 with Retry-After', 500, owed('500', unlessUnsafe, { retries: 3, hint: wait * 1_000 }), {
      ...maybe(dice),
      headers: flag('Retry-After', String(wait)),
    });
  },
  (dice) =>
    answered(
      '500 replayed',
      500,
      (safety) => (safety === 'keyed' ? { row: '500 replayed', act: 'fail' } : { row: '500', act: unlessUnsafe(safety), retries: 3 }),
      { headers: flag('Idempotent-Replayed', 'true'), ...maybe(dice) },
    ),
  (dice) => answered('gateway', dice.pick([502, 504, 520, 524, 527]), owed('ambiguous gateway', unlessUnsafe), maybe(dice)),
  (dice) => answered('gateway could not connect', dice.pick([521, 522, 523]), owed('gateway could not connect', 'retry')),
  (dice) => answered('permanent 5xx', dice.pick([501, 505, 506, 508, 510, 511, 525, 526]), owed('permanent 5xx', 'fail')),
  (dice) => answered('other 5xx', dice.pick([507, 530, 599]), owed('other 5xx', unlessUnsafe, { retries: 3 }), maybe(dice)),
  (dice) =>
    answered('redirect', dice.pick([301, 302, 303, 307, 308]), owed('3xx', 'fail'), { headers: flag('Location', dice.pick(INTERNAL)) }),
  () => answered('304', 304, owed('3xx', 'fail')),
  (dice) => {
    const wait = dice.whole(1, 30);
    return answered('should-retry: true', dice.pick([400, 404, 422, 501]), owed('should-retry: true', 'retry', { hint: wait * 1_000 }), {
      headers: [
        [dice.pick(['x-should-retry', 'Stripe-Should-Retry']), 'true'],
        ['Retry-After', String(wait)],
      ],
    });
  },
  (dice) =>
    answered(
      'should-retry: false',
      500,
      (safety) => (safety === 'unsafe' ? { row: '500', act: 'unknown' } : { row: 'should-retry: false', act: 'fail' }),
      { headers: flag('x-should-retry', 'false'), ...maybe(dice) },
    ),
  () => answered('429, should-retry: false', 429, owed('should-retry: false', 'fail'), { headers: flag('x-should-retry', 'false') }),
];

function throttled(dice: Dice, wanted: Hint): Fate {
  return answered('throttled', dice.pick([420, 429, 429, 529]), owed('throttle', 'wait', timed(wanted)), { hint: wanted });
}
