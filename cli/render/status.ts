/** How each status looks. */
import type { RunStatus } from '../api-types.ts';
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

export const statusStyle = (status: RunStatus): Style => STYLES[status] ?? 'dim';
