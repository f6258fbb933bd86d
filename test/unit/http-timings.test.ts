/** How long each part of an attempt took: only what happened, and what failed as far as it came. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/engine/ports.ts';
import { compileAllow } from '../../src/http/guard/guard.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { DEFAULTS } from '../../src/http/settings.ts';
import { type Transport, type TransportOptions, transport, type WireRequest } from '../../src/http/transport.ts';
import { type HostileServer, hostileServer } from '../support/hostile-server.ts';
import { selfSigned } from '../support/self-signed.ts';

let server: HostileServer;
let wire: Transport;
/** Time that passes at once. */
let shift = 0;
const clock: Clock = { now: () => Date.now() + shift, timer: plainClock.timer };
beforeEach(async () => {
  shift = 0;
  server = await hostileServer();
});
afterEach(async () => {
  await wire.close();
  await server.close();
});

const allowed = compileAllow([], 'test');
const slowly: Partial<TransportOptions> = {
  async resolve() {
    shift += 40;
    return [{ address: '127.0.0.1', family: 4 }];
  },
  dial(_target, _addresses, open) {
    const socket = open();
    shift += 300;
    return socket;
  },
};

function send(options: Partial<TransportOptions>, more: Partial<WireRequest> = {}) {
  wire ??= transport({ clock, allowLoopback: true, ...options });
  const origin = `http://slow.example:${server.port}`;
  return wire.send({
    allowed,
    connectTimeout: 5_000,
    origin,
    method: 'GET',
    path: '/',
    headers: {},
    body: null,
    limits: DEFAULTS.limits,
    fresh: false,
    ...more,
  });
}
beforeEach(() => {
  wire = undefined as unknown as Transport;
});

describe('the timings of an attempt', () => {
  it('tell of looking up, connecting, the first byte and the end', async () => {
    const { timings, reused } = await send(slowly);
    expect(reused).toBe(false);
    expect(timings).not.toHaveProperty('tls');
    expect(timings.dns).toBeGreaterThanOrEqual(40);
    expect(timings.dns).toBeLessThan(300);
    expect(timings.connect).toBeGreaterThanOrEqual(300);
    expect(timings.firstByte).toBeGreaterThanOrEqual(340);
    expect(timings.total).toBeGreaterThanOrEqual(timings.firstByte ?? Number.NaN);
  });

  it('do not tell of a socket that was open already', async () => {
    await send(slowly);
    await new Promise((turned) => setImmediate(turned));
    const { timings, reused } = await send(slowly);
    expect(reused).toBe(true);
    expect(Object.keys(timings).sort()).toEqual(['firstByte', 'total']);
  });

  it('have no looking up where the host is an address', async () => {
    const { timings } = await send({}, { origin: server.url });
    expect(Object.keys(timings).sort()).toEqual(['connect', 'firstByte', 'total']);
  });

  it('tell of TLS by itself', async () => {
    const { key, cert } = selfSigned({ host: 'api.example' });
    const secure = createServer({ key, cert }, (_request, response) => response.end());
    await new Promise<void>((listening) => secure.listen(0, '127.0.0.1', listening));
    for (const fresh of [false, true]) {
      const { timings } = await send(
        { ...slowly, ca: cert },
        { fresh, origin: `https://api.example:${(secure.address() as AddressInfo).port}` },
      );
      expect(Object.keys(timings).sort()).toEqual(['connect', 'dns', 'firstByte', 'tls', 'total']);
      expect(timings.tls).toBeLessThan(300);
    }
    secure.closeAllConnections();
    await new Promise((closed) => secure.close(closed));
  });

  it('of what failed go as far as it came', async () => {
    await server.close();
    const refused = await send(slowly);
    expect(refused).toMatchObject({ phase: 'not-sent', why: 'unreachable' });
    expect(Object.keys(refused.timings).sort()).toEqual(['dns', 'total']);
  });

  it('of a name that is not found are the total alone', async () => {
    const lost = await send({ resolve: () => Promise.reject(Object.assign(new Error('none'), { code: 'ENOTFOUND' })) });
    expect(Object.keys(lost.timings)).toEqual(['total']);
  });
});
