/** What goes wrong before a request: names, addresses, handshakes, certificates. Only for calls that have a door of their own. */
import { type Dice, type Fate, type Owed, type Safety, unlessUnsafe } from './fate.ts';

const unreachable = (): Owed => ({ row: 'unreachable', act: 'retry' });
const guard = (): Owed => ({ row: 'guard', act: 'fail' });
const certificate = (): Owed => ({ row: 'certificate', act: 'fail' });
/** Between the handshake and the first byte both are true, and the kernel says which. */
const atTheDoor = (safety: Safety): Owed => ({
  row: 'broken after sending',
  act: unlessUnsafe(safety),
  or: { row: 'unreachable', unsafe: 'retry' },
});

const dns = (how: Extract<Fate, { at: 'dns' }>['how'], owes: (safety: Safety) => Owed): Fate => ({
  name: `dns: ${how}`,
  at: 'dns',
  how,
  owes,
});
const tls = (how: Extract<Fate, { at: 'tls' }>['how'], owes: (safety: Safety) => Owed): Fate => ({
  name: `tls: ${how}`,
  at: 'tls',
  how,
  owes,
});

export const NAMES: readonly ((dice: Dice) => Fate)[] = [
  () => dns('ENOTFOUND', () => ({ row: 'name not found', act: 'retry', retries: 2 })),
  () => dns('EAI_AGAIN', unreachable),
  () => dns('refused', unreachable),
  () => dns('private', guard),
  () => dns('rebinding', guard),
];

export const DOORS: readonly ((dice: Dice) => Fate)[] = [
  () => ({ name: 'accept: fin', at: 'accept', how: 'fin', owes: atTheDoor }),
  () => ({ name: 'accept: reset', at: 'accept', how: 'reset', owes: atTheDoor }),
];

export const HANDSHAKES: readonly ((dice: Dice) => Fate)[] = [
  () => tls('expired', certificate),
  () => tls('early', certificate),
  () => tls('stranger', certificate),
  () => tls('wrong-host', certificate),
  () => tls('reset', unreachable),
  () => tls('garbage', unreachable),
  () => tls('silence', unreachable),
];
