import { expect, it } from 'vitest';
import { Exchange, type WireEvent } from '../../src/http/exchange.ts';
import { DEFAULTS } from '../../src/http/settings.ts';
import { memorySink, type OpenSink } from '../../src/http/sink.ts';
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

it('events that stay away for the idle time are given up all the same', () => {
  const limits = { ...DEFAULTS.limits, idle: 3_000 };
  expect(drip(() => ({ ...memorySink(), patient: true }), limits)).toMatchObject({
    phase: 'ambiguous',
    message: 'nothing came for 3000 ms',
  });
});
