/** A place in a list as an opaque text. */
import { HoldfastError } from '../engine/errors.ts';

const ORDER = /^\d{15}(#.+)?$/;

export const encodeCursor = (order: string): string => Buffer.from(order).toString('base64url');

/** Throws `E_REQUEST_INVALID` for anything that encodeCursor did not make. */
export function decodeCursor(cursor: string): string {
  const order = Buffer.from(cursor, 'base64url').toString();
  if (!ORDER.test(order)) {
    throw new HoldfastError('E_REQUEST_INVALID', 'after: not a cursor of this list; leave it out to begin at the newest', {
      detail: { field: 'after' },
    });
  }
  return order;
}
