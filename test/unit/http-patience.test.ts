import { expect, it } from 'vitest';
import { memorySink, type OpenSink } from '../../src/http/bodies/sink.ts';
import { Exchange, type WireEvent } from '../../src/http/exchange.ts';
import { DEFAULTS } from '../../src/http/settings.ts';
import { virtualClock } from '../../src/testing/index.ts';

/** Two bytes every four seconds, for as long as it is let. */
function drip(open: OpenSink, limits = DEFAULTS.limits): WireEvent | undefined {
  const clock = virtualClock();
  let event: WireEvent | undefined;
  const exchange = new Exchange({ limits, clock, sink: open, uploads: false }, (told) => {
    event = told;
  });
  const controller = { abort() {}, pause() {}, resume() {} } as never;
  exchange.onRequestStart(controller);
  exchange.onResponseStart(controller, 200, { 'content-type': 'text/event-stream' });
  for (let piece = 0; piece < 5 && !event; piece++) {
    exchange.onResponseData(controller, Buffer.from('x\n'));
    clock.advance(4_000);
  }
  exchange.onResponseEnd();
  return event;
}

it('a body that comes slower than the minimum rate is given up, and events are not', () => {
  expect(drip(() => memorySink())).toMatchObject({ phase: 'ambiguous', message: 'the body came slower than 1024 bytes/s' });
  expect(drip(() => ({ ...memorySink(), patient: true }))).toMatchObject({ phase: 'answered', bytes: 10 });
});

// It was looked at every five seconds from the sending on: first just before its five were over, and then again after almost ten.
it('a slow body is given up when its five seconds are over, and not up to five later', () => {
  const clock = virtualClock();
  const began = clock.now();
  let endedAt: number | undefined;
  const exchange = new Exchange({ limits: DEFAULTS.limits, clock, sink: () => memorySink(), uploads: false }, () => {
    endedAt = clock.now() - began;
  });
  const controller = { abort() {}, pause() {}, resume() {} } as never;
  exchange.onRequestStart(controller);
  clock.advance(5);
  exchange.onResponseStart(controller, 200, {});
  while (endedAt === undefined && clock.now() - began < 30_000) {
    exchange.onResponseData(controller, Buffer.from('x'));
    clock.advance(100);
  }
  expect(endedAt).toBeGreaterThan(5_005);
  expect(endedAt).toBeLessThan(5_200);
});

it('events that stay away for the idle time are given up all the same', () => {
  const limits = { ...DEFAULTS.limits, idle: 3_000 };
  expect(drip(() => ({ ...memorySink(), patient: true }), limits)).toMatchObject({
    phase: 'ambiguous',
    message: 'nothing came for 3000 ms',
  });
});
