/** The guard against everything that test/support/guard-cases.ts knows: no socket is opened for what is refused, and one is for what is public. */
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { compileAllow } from '../../src/http/guard/guard.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { DEFAULTS } from '../../src/http/settings.ts';
import { type Transport, type TransportOptions, transport } from '../../src/http/transport.ts';
import * as cases from '../support/guard-cases.ts';
import { guardProbe, type Probe } from '../support/guard-probe.ts';
import { type HostileServer, hostileServer } from '../support/hostile-server.ts';

let probe: Probe;
beforeAll(async () => {
  probe = await guardProbe();
});
afterAll(() => probe.close());

const NAME = 'https://api.example/';
const REFUSAL = /not public|plain http is refused|port \d+ is refused|no address|no connection may call|only http/;
const NOT_A_URL = /baseUrl (is not a URL|must (begin|not))/;
const NOT_FOLLOWED = /the redirect is not followed/;

describe('is refused, with no socket opened', () => {
  it.each(cases.REFUSED_URLS)('%s as a base URL', async (url) => {
    const { letThrough, code, message } = await probe.directly({ url });
    expect({ letThrough, code }).toEqual({ letThrough: false, code: expect.stringMatching(/^E_(BAD_OPTION|CALL_FAILED)$/) as string });
    expect(message).toMatch(code === 'E_BAD_OPTION' ? NOT_A_URL : REFUSAL);
  });

  it.each(cases.REFUSED_URLS)('a redirect to %s', async (url) => {
    const { letThrough, code, message } = await probe.redirected({ url });
    expect({ letThrough, code }).toEqual({ letThrough: false, code: 'E_CALL_FAILED' });
    expect(message.match(REFUSAL) ?? message.match(NOT_FOLLOWED), message).not.toBeNull();
  });

  it.each(cases.REFUSED_ADDRESSES)(
    'a name that resolves to %s, called or redirected to, alone and beside a public address',
    async (address) => {
      for (const answers of [[address], ['1.1.1.1', address], [address, '1.1.1.1']]) {
        for (const ask of [probe.directly, probe.redirected]) {
          const { letThrough, message } = await ask({ url: NAME, answers });
          expect(letThrough).toBe(false);
          expect(message).toMatch(REFUSAL);
          expect(message).not.toContain(address.length > 3 ? address : 'address is');
        }
      }
    },
  );

  it.each(cases.REFUSED_ANSWERS.map((answers) => ({ answers })))('a name that resolves to $answers', async ({ answers }) => {
    for (const ask of [probe.directly, probe.redirected]) {
      expect(await ask({ url: NAME, answers })).toMatchObject({ letThrough: false, message: expect.stringMatching(REFUSAL) as string });
    }
  });

  it.each(cases.REFUSED_NAMES)('%s, which is %s', async (host, address) => {
    for (const ask of [probe.directly, probe.redirected]) {
      expect(await ask({ url: `https://${host}/`, answers: [address] })).toMatchObject({ letThrough: false });
    }
  });

  it.each(cases.FORBIDDEN)('$url at $address although $allow is allowed, with $env', async ({ url, address, allow, env = {} }) => {
    for (const ask of [probe.directly, probe.redirected]) {
      const verdict = await ask({ url, answers: [address], allow, allowLoopback: true, env });
      expect(verdict).toMatchObject({ letThrough: false, message: expect.stringMatching(/no connection may call/) as string });
    }
  });
});

describe('is let through', () => {
  it.each(cases.PUBLIC_ADDRESSES)('%s, by a name and as it is', async (address) => {
    const literal = `https://${address.includes(':') ? `[${address}]` : address}/`;
    for (const ask of [probe.directly, probe.redirected]) {
      expect(await ask({ url: NAME, answers: [address] })).toMatchObject({ letThrough: true, dialled: [address] });
      expect(await ask({ url: literal })).toMatchObject({ letThrough: true });
    }
  });

  it.each(cases.PUBLIC_URLS)('%s', async (url) => {
    const base = url.replace(/[?#].*/, '');
    expect(await probe.directly({ url: base })).toMatchObject({ letThrough: true });
    expect(await probe.redirected({ url })).toMatchObject({ letThrough: true });
  });

  it('what only shares a range with Lambda’s own: other ports of loopback, other link-local addresses, where they are allowed', async () => {
    const env = { AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9001', AWS_XRAY_DAEMON_ADDRESS: '169.254.79.129:2000' };
    const open = { allow: ['169.254.0.0/16'], allowLoopback: true, env };
    expect(await probe.directly({ url: 'http://127.0.0.1:9002/', ...open })).toMatchObject({ letThrough: true });
    expect(await probe.directly({ url: 'http://169.254.79.130:2000/', ...open })).toMatchObject({ letThrough: true });
  });

  it('exactly what allow opens, and nothing beside it', async () => {
    const allow = ['10.1.0.0/16', 'fd00:1::/32'];
    for (const inside of ['10.1.0.0', '10.1.255.255', '::ffff:10.1.2.3', 'fd00:1::', 'fd00:1:ffff:ffff:ffff:ffff:ffff:ffff'])
      expect(await probe.directly({ url: NAME, answers: [inside], allow })).toMatchObject({ letThrough: true });
    for (const outside of ['10.0.255.255', '10.2.0.0', '64:ff9b::a01:203', '2002:a01:203::', 'fd00:2::', 'fd00:0:ffff::'])
      expect(await probe.directly({ url: NAME, answers: [outside], allow })).toMatchObject({ letThrough: false });
  });
});

describe('a name that changes its mind', () => {
  let server: HostileServer;
  let wire: Transport | undefined;
  beforeAll(async () => {
    server = await hostileServer();
  });
  afterAll(() => server.close());
  afterEach(() => wire?.close());

  function send(options: Partial<TransportOptions>) {
    wire = transport({ clock: plainClock, ...options });
    const allowed = compileAllow([`rebound.example:${server.port}`], 'test');
    const origin = `http://rebound.example:${server.port}`;
    const request = { allowed, connectTimeout: 1_000, origin, method: 'GET', path: '/', headers: {}, body: null };
    return wire.send({ ...request, limits: DEFAULTS.limits, fresh: true });
  }

  it('is asked once: the socket goes to the address that was checked', async () => {
    const before = server.sockets();
    let asked = 0;
    const event = await send({
      resolve: async () => {
        asked += 1;
        return [{ address: asked === 1 ? '127.0.0.1' : '127.0.0.2', family: 4 }];
      },
    });
    expect(event).toMatchObject({ phase: 'answered' });
    expect({ asked, sockets: server.sockets() - before }).toEqual({ asked: 1, sockets: 1 });
  });

  it.each([
    ['private', '10.0.0.1'],
    ['public', '1.1.1.1'],
  ])('is found out by the open socket, even if that leads to a %s address and the host is allowed by name', async (_kind, claimed) => {
    const before = server.received.length;
    const event = await send({
      resolve: async () => [{ address: '127.0.0.1', family: 4 }],
      dial: () => pretending(connect(server.port, '127.0.0.1'), claimed),
    });
    expect(event).toMatchObject({ phase: 'not-sent', why: 'guard' });
    expect(JSON.stringify(event)).not.toContain(claimed);
    expect(server.received).toHaveLength(before);
  });

  it('may be written in another way by the socket', async () => {
    const event = await send({
      resolve: async () => [{ address: '127.0.0.1', family: 4 }],
      dial: () => pretending(connect(server.port, '127.0.0.1'), '::ffff:127.0.0.1'),
    });
    expect(event).toMatchObject({ phase: 'answered' });
  });
});

/** A socket that says it has led there: what a kernel, or a proxy beneath us, would have done. */
function pretending(socket: Socket, remoteAddress: string): Socket {
  return Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress });
}

it('these are as many cases as target 13 asks for', () => {
  expect(cases.REFUSED_URLS.length * 2 + cases.REFUSED_ADDRESSES.length * 6).toBeGreaterThan(300);
  expect(cases.PUBLIC_ADDRESSES.length).toBeGreaterThanOrEqual(100);
  for (const list of [cases.REFUSED_URLS, cases.REFUSED_ADDRESSES, cases.PUBLIC_ADDRESSES, cases.PUBLIC_URLS])
    expect(new Set(list).size).toBe(list.length);
});
