import { describe, expect, it } from 'vitest';
import { type Address, compileAllow } from '../../src/http/guard/guard.ts';
import { isPublic, refusal } from '../../src/http/guard/refusal.ts';

const to = (...addresses: string[]): Address[] => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
const https = { protocol: 'https:', hostname: 'api.example', port: 443 };
const NONE = [compileAllow([], 'test')];

describe('the address guard', () => {
  it.each([
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '169.254.170.2',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.8',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.7',
    '203.0.113.9',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '::ffff:a00:1',
    '::ffff:7f00:1',
    '::10.0.0.1',
    '64:ff9b::a00:1',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:a00:1::',
    '3fff::1',
    '5f00::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
  ])('refuses %s', (address) => {
    expect(isPublic(address)).toBe(false);
    expect(refusal(https, to(address), NONE)).toMatch(/not public/);
  });

  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '172.15.255.255',
    '172.32.0.1',
    '192.0.1.1',
    '198.20.0.1',
    '223.255.255.255',
    '::ffff:8.8.8.8',
    '2606:4700:4700::1111',
    '2a00:1450:4001::1',
  ])('lets %s through', (address) => {
    expect(refusal(https, to(address), NONE)).toBeUndefined();
  });

  it('refuses a name of which any address is not public', () => {
    expect(refusal(https, to('1.1.1.1', '10.0.0.1'), NONE)).toMatch(/not public/);
  });

  it('never says which address it saw', () => {
    expect(refusal(https, to('10.9.8.7'), NONE)).not.toMatch(/10\.9/);
  });

  it('refuses plain http, other ports and other schemes of public hosts', () => {
    expect(refusal({ ...https, protocol: 'http:', port: 80 }, to('1.1.1.1'), NONE)).toMatch(/plain http/);
    expect(refusal({ ...https, port: 8443 }, to('1.1.1.1'), NONE)).toMatch(/port 8443/);
    expect(refusal({ ...https, protocol: 'ftp:' }, to('1.1.1.1'), NONE)).toMatch(/only http/);
  });

  it('opens exactly the range that is allowed', () => {
    const allowed = [compileAllow(['10.1.0.0/16', 'fd00:1::/32'], 'test')];
    expect(refusal({ ...https, protocol: 'http:', port: 8080 }, to('10.1.2.3'), allowed)).toBeUndefined();
    expect(refusal(https, to('::ffff:10.1.2.3'), allowed)).toBeUndefined();
    expect(refusal(https, to('fd00:1::5'), allowed)).toBeUndefined();
    expect(refusal(https, to('10.2.0.1'), allowed)).toMatch(/not public/);
    expect(refusal(https, to('10.1.0.1', '10.2.0.1'), allowed)).toMatch(/not public/);
    expect(refusal(https, to('127.0.0.1'), allowed)).toMatch(/not public/);
  });

  it('opens a host by name, or by name and port', () => {
    const allowed = [compileAllow(['internal.example', 'api.example:8443'], 'test')];
    expect(refusal({ protocol: 'http:', hostname: 'internal.example', port: 80 }, to('10.0.0.1'), allowed)).toBeUndefined();
    expect(refusal({ ...https, port: 8443 }, to('1.1.1.1'), allowed)).toBeUndefined();
    expect(refusal({ ...https, port: 9443 }, to('1.1.1.1'), allowed)).toMatch(/port 9443/);
  });

  it('opens loopback only where the runtime says so', () => {
    const http = { protocol: 'http:', hostname: 'localhost', port: 3001 };
    expect(refusal(http, to('127.0.0.1', '::1'), NONE)).toMatch(/not public/);
    expect(refusal(http, to('127.0.0.1', '::1', '::ffff:127.0.0.1'), [compileAllow([], 'test', true)])).toBeUndefined();
    expect(refusal(http, to('10.0.0.1'), [compileAllow([], 'test', true)])).toMatch(/not public/);
  });

  it.each([['10.0.0.0/33'], ['10.0.0.0/x'], ['http://api.example'], ['a b'], [''], ['::1/129']])(
    'calls %j in allow a bad option',
    (entry) => {
      expect(() => compileAllow([entry], 'connection "crm"')).toThrow(/connection "crm": allow/);
    },
  );
});
