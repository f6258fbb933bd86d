/** Which fate meets which attempt of which call. Pure: seed, call and attempt decide. */
import { type Dice, diceOf, type Fate } from './fate.ts';
import { DOORS, HANDSHAKES, NAMES } from './grounds.ts';
import { STATUSES } from './statuses.ts';
import { success } from './successes.ts';
import { WIRES } from './wires.ts';

/** The shared port, or a door of its own without or with TLS. */
export type Lane = 'shared' | 'door' | 'secure';

export type Nature = {
  lane: Lane;
  /** Chance of each attempt to go wrong. */
  bad: number;
  /** It goes wrong in the same way each time. */
  stubborn: boolean;
};

/** `n`: 1 for the first attempt of the call that the server meets. */
export function fateOf(seed: number, call: string, n: number, { lane, bad, stubborn }: Nature): Fate {
  const dice = diceOf(seed, call, 'fate', stubborn ? 0 : n);
  return dice.random() < bad ? misfortune(dice, lane) : success(dice);
}

function misfortune(dice: Dice, lane: Lane): Fate {
  const below = lane === 'shared' ? [] : lane === 'door' ? [NAMES, DOORS] : [NAMES, HANDSHAKES];
  const kinds = [STATUSES, WIRES, ...below, ...below];
  return dice.pick(dice.pick(kinds))(dice);
}
