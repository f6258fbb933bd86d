/** What one run of the chaos does: its calls, how its code strings them together, and what it leaves to chance. By seed alone. */
import { diceOf, type Fate, type Safety } from '../support/hostile/fate.ts';
import { fateOf, type Nature } from '../support/hostile/fates.ts';

export type Shape = 'sequence' | 'wave' | 'map' | 'branches' | 'race';
/** What becomes of unknown outcomes: user code hears of them, a person is asked, the API is asked. */
export type Asked = 'code' | 'person' | 'api';

export type CallPlan = {
  id: string;
  safety: Safety;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  nature: Nature;
  asked: Asked;
  attempts: number;
  throttles: number;
  /** Bodies over the cap fail. */
  strict: boolean;
};

export type RunPlan = {
  seed: number;
  index: number;
  key: string;
  shape: Shape;
  calls: readonly CallPlan[];
  /** Of the server's clock, ms. */
  skew: number;
  /** How often the worker may die, and the chance of each moment. */
  deaths: number;
  mortality: number;
};

const METHODS = {
  safe: ['GET', 'GET', 'POST'],
  idempotent: ['PUT', 'DELETE'],
  keyed: ['POST', 'PATCH'],
  unsafe: ['POST', 'PATCH'],
} as const;
const SAFETIES = Object.keys(METHODS) as Safety[];

export const DEADLINE_MS = 24 * 3_600_000;
/** A person has it sent again so often, and then lets it fail. */
export const PERSON_TRIES = 3;
export const MAX_BODY = 65_536;

export function planOf(seed: number, index: number, count: number): RunPlan {
  const dice = diceOf(seed, index, 'run');
  const calls = Array.from({ length: count }, (_, place): CallPlan => {
    const id = `r${index}c${place}`;
    const { random, pick } = diceOf(seed, id, 'call');
    const safety = SAFETIES[(index + place) % SAFETIES.length] as Safety;
    const stubborn = random() < 0.1;
    return {
      id,
      safety,
      method: pick(METHODS[safety]),
      nature: { lane: pick(['shared', 'shared', 'shared', 'door', 'secure'] as const), bad: stubborn ? 0.9 : 0.4, stubborn },
      asked: pick(['code', 'code', 'person', 'api'] as const),
      attempts: pick([6, 6, 3]),
      throttles: pick([5, 2]),
      strict: random() < 0.3,
    };
  });
  const mortal = dice.random() < 0.3;
  return {
    seed,
    index,
    key: `chaos-${index}`,
    shape: dice.pick(['sequence', 'wave', 'map', 'branches', 'race'] as const),
    calls,
    skew: dice.pick([0, 0, 400, -400, 86_400_000, -86_400_000, 3_600_000 * 24 * 400, dice.whole(-100_000, 100_000)]),
    deaths: mortal ? dice.whole(1, 3) : 0,
    mortality: 0.04,
  };
}

export const fateIn = ({ seed }: RunPlan, call: CallPlan, n: number): Fate => fateOf(seed, call.id, n, call.nature);
