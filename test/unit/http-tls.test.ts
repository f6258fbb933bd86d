import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { WireEvent } from '../../src/http/exchange.ts';
import { compileAllow } from '../../src/http/guard/guard.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { DEFAULTS } from '../../src/http/settings.ts';
import { type Transport, transport } from '../../src/http/transport.ts';
import { selfSigned } from '../support/self-signed.ts';

let server: Server | undefined;
let wire: Transport | undefined;
let resumed: boolean[] = [];
afterEach(async () => {
  await wire?.close();
  server?.closeAllConnections();
  await new Promise((closed) => server?.close(closed));
  resumed = [];
});

async function serve(
  options: Parameters<typeof selfSigned>[0],
  trust = true,
): Promise<(hostname?: string, fresh?: boolean) => Promise<WireEvent>> {
  const { key, cert } = selfSigned(options);
  const made = createServer({ key, cert }, (_request, response) => response.end('secure'));
  made.on('secureConnection', (socket) => resumed.push(socket.isSessionReused()));
  server = made;
  await new Promise<void>((listening) => made.listen(0, '127.0.0.1', listening));
  const { port } = made.address() as AddressInfo;
  const sender = transport({
    clock: plainClock,
    allowLoopback: true,
    resolve: async () => [{ address: '127.0.0.1', family: 4 }],
    ...(trust ? { ca: cert } : {}),
  });
  wire = sender;
  const allowed = compileAllow([], 'test');
  return (hostname = 'api.example', fresh = false) =>
    sender.send({
      allowed,
      connectTimeout: 2_000,
      origin: `https://${hostname}:${port}`,
      method: 'GET',
      path: '/',
      headers: {},
      body: null,
      limits: DEFAULTS.limits,
      fresh,
    });
}

describe('a certificate', () => {
  it('that is trusted and is the host’s lets the call through', async () => {
    const send = await serve({ host: 'api.example' });
    expect(await send()).toMatchObject({ phase: 'answered', status: 200 });
  });

  it('may name an address', async () => {
    const send = await serve({ ip: '127.0.0.1' });
    expect(await send('127.0.0.1')).toMatchObject({ phase: 'answered', status: 200 });
  });

  it.each([
    ['nobody vouches for', { host: 'api.example' }, false, /DEPTH_ZERO_SELF_SIGNED_CERT/],
    ['is another host’s', { host: 'other.example' }, true, /ERR_TLS_CERT_ALTNAME_INVALID/],
    ['has expired', { host: 'api.example', from: new Date(2_000_000_000), to: new Date(3_000_000_000) }, true, /CERT_HAS_EXPIRED/],
  ])('that %s is refused, with nothing sent', async (_name, options, trust, message) => {
    const send = await serve(options, trust);
    expect(await send()).toMatchObject({ phase: 'not-sent', why: 'certificate', message: expect.stringMatching(message) as string });
  });

  it('is shown once: fresh connections resume the session', async () => {
    const send = await serve({ host: 'api.example' });
    for (let call = 0; call < 3; call++) expect(await send('api.example', true)).toMatchObject({ phase: 'answered', reused: false });
    expect(resumed).toEqual([false, true, true]);
  });
});
