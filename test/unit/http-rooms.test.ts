import { describe, expect, it } from 'vitest';
import { PIECE_BYTES, type Room, rooms } from '../../src/http/bodies/rooms.ts';
import { virtualClock } from '../../src/testing/index.ts';

const AT_ONCE = 12;
const turn = () => new Promise<void>((next) => setImmediate(next));

/** Everybody's room, or that he still waits. */
function asked(enter: () => Promise<Room>, times: number): Array<{ room?: Room }> {
  return Array.from({ length: times }, () => {
    const one: { room?: Room } = {};
    void enter().then((room) => {
      one.room = room;
    });
    return one;
  });
}

describe('rooms for pieces', () => {
  it('are a dozen, first come, first served, in buffers that are used again', async () => {
    const all = asked(rooms(virtualClock()), AT_ONCE + 2);
    await turn();
    expect(all.filter(({ room }) => room)).toHaveLength(AT_ONCE);
    const buffer = all[0]?.room?.buffer;
    expect(buffer).toHaveLength(PIECE_BYTES);
    all[0]?.room?.leave(true);
    await turn();
    expect(all[AT_ONCE]?.room?.buffer).toBe(buffer);
    expect(all[AT_ONCE + 1]?.room).toBeUndefined();
  });

  it('are not given to others while somebody may still read them', async () => {
    const all = asked(rooms(virtualClock()), AT_ONCE + 1);
    await turn();
    all[0]?.room?.leave(false);
    await turn();
    expect(all[AT_ONCE]?.room?.buffer).not.toBe(all[0]?.room?.buffer);
  });

  it('lapse for those who get nothing to fill them with, who then wait their turn to store', async () => {
    const clock = virtualClock();
    const all = asked(rooms(clock), 2 * AT_ONCE);
    await turn();
    clock.advance(250);
    await turn();
    expect(all.filter(({ room }) => room)).toHaveLength(2 * AT_ONCE);
    let stores = false;
    void all[0]?.room?.full().then(() => {
      stores = true;
    });
    await turn();
    expect(stores).toBe(false);
    all[AT_ONCE]?.room?.leave(true);
    await turn();
    expect(stores).toBe(true);
  });
});
