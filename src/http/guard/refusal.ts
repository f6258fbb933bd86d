/**
 * Which addresses may be called. Denies everything that the IANA special-purpose registries do not call globally reachable,
 * in every spelling an IPv6 address has for an IPv4 one. Decides only; resolving and connecting are connector.ts.
 */
import { BlockList, isIP, isIPv4 } from 'node:net';
import { isIsatap, plainAddress } from './addresses.ts';
import type { Forbidden } from './forbidden.ts';
import type { Address, Allowed, Target } from './guard.ts';

const SPECIAL_V4 = blocks('ipv4', [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]);
/** Only 2000::/3 is given out for the public; these parts of it are not: Teredo and its kin, documentation, 6to4. */
const GLOBAL_V6 = blocks('ipv6', ['2000::/3']);
const SPECIAL_V6 = blocks('ipv6', ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']);
const LOOPBACK_V4 = blocks('ipv4', ['127.0.0.0/8']);

export function isPublic(address: string): boolean {
  const plain = plainAddress(address);
  if (isIPv4(plain)) return !SPECIAL_V4.check(plain, 'ipv4');
  return isIP(plain) === 6 && GLOBAL_V6.check(plain, 'ipv6') && !SPECIAL_V6.check(plain, 'ipv6') && !isIsatap(plain);
}

const NOTHING: Forbidden = () => false;
const NOT_PUBLIC = "the host is not public; if it is meant, name it or its range in the connection's `allow`";

/** Why the target is refused, or `undefined`. Says nothing about the addresses: the text may reach whoever chose the name. */
export function refusal(
  target: Target,
  addresses: readonly Address[],
  allowed: readonly Allowed[],
  forbidden: Forbidden = NOTHING,
): string | undefined {
  const { protocol, hostname, port } = target;
  if (protocol !== 'https:' && protocol !== 'http:') return `only http and https can be called, not ${protocol}`;
  if (addresses.length === 0) return 'the host has no address';
  if (addresses.some(({ address }) => forbidden(address, port, hostname))) return 'the host is one that no connection may call';
  if (allowed.some(({ hosts }) => hosts.has(hostname) || hosts.has(`${hostname}:${port}`))) return undefined;
  const opened = addresses.filter(({ address }) => allowed.some((one) => isOpened(address, one)));
  if (opened.length === addresses.length) return undefined;
  if (!addresses.every((one) => opened.includes(one) || isPublic(one.address))) {
    return NOT_PUBLIC;
  }
  if (protocol !== 'https:') return "plain http is refused; if it is meant, name the host in the connection's `allow`";
  if (port !== 443) return `port ${port} is refused; if it is meant, name "${hostname}:${port}" in the connection's \`allow\``;
  return undefined;
}

function isOpened(address: string, { addresses, loopback }: Allowed): boolean {
  const plain = plainAddress(address);
  const family = isIPv4(plain) ? 'ipv4' : 'ipv6';
  if (loopback && (plain === '::1' || (family === 'ipv4' && LOOPBACK_V4.check(plain, 'ipv4')))) return true;
  return addresses.check(plain, family);
}

function blocks(family: 'ipv4' | 'ipv6', ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address, bits] = range.split('/') as [string, string];
    list.addSubnet(address, Number(bits), family);
  }
  return list;
}
