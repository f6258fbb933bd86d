/** How each status looks. */
import type { ConnectionItem, RunStatus } from '../api-types.ts';
import type { Style } from '../tools.ts';

const STYLES: Readonly<Record<RunStatus, Style>> = {
  queued: 'dim',
  running: 'cyan',
  waiting: 'cyan',
  paused: 'yellow',
  succeeded: 'green',
  failed: 'red',
  cancelled: 'yellow',
};

const STATES: Readonly<Record<ConnectionItem['state'], Style>> = {
  open: 'green',
  'slow-start': 'cyan',
  'half-open': 'yellow',
  gated: 'yellow',
  broken: 'red',
  held: 'red',
};

export const stateStyle = (state: ConnectionItem['state']): Style => STATES[state] ?? 'dim';
export const statusStyle = (status: RunStatus): Style => STYLES[status] ?? 'dim';
