/**
 * Which addresses may be called. Denies everything that the IANA special-purpose registries do not call globally reachable,
 * in every spelling an IPv6 address has for an IPv4 one. Decides only; resolving and connecting are connector.ts.
 */
import { BlockList, isIP, isIPv4 } from 'node:net';
import { bad } from './settings.ts';

export type Address = { readonly address: string; readonly family: 4 | 6 };

/** What is open besides public https on port 443. */
export type Allowed = {
  readonly addresses: BlockList;
  /** `name` or `name:port`. */
  readonly hosts: ReadonlySet<string>;
  readonly loopback: boolean;
};

export type Target = { readonly protocol: string; readonly hostname: string; readonly port: number };

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
  const plain = unmapped(address);
  if (isIPv4(plain)) return !SPECIAL_V4.check(plain, 'ipv4');
  return isIP(plain) === 6 && GLOBAL_V6.check(plain, 'ipv6') && !SPECIAL_V6.check(plain, 'ipv6');
}

/** Why the target is refused, or `undefined`. Says nothing about the addresses: the text may reach whoever chose the name. */
export function refusal(target: Target, addresses: readonly Address[], allowed: readonly Allowed[]): string | undefined {
  const { protocol, hostname, port } = target;
  if (protocol !== 'https:' && protocol !== 'http:') return `only http and https can be called, not ${protocol}`;
  if (addresses.length === 0) return 'the host has no address';
  if (allowed.some(({ hosts }) => hosts.has(hostname) || hosts.has(`${hostname}:${port}`))) return undefined;
  const opened = addresses.filter(({ address }) => allowed.some((one) => isOpened(address, one)));
  if (opened.length === addresses.length) return undefined;
  if (!addresses.every((one) => opened.includes(one) || isPublic(one.address))) {
    return "the host is not public; if it is meant, name it or its range in the connection's `allow`";
  }
  if (protocol !== 'https:') return "plain http is refused; if it is meant, name the host in the connection's `allow`";
  if (port !== 443) return `port ${port} is refused; if it is meant, name "${hostname}:${port}" in the connection's \`allow\``;
  return undefined;
}

function isOpened(address: string, { addresses, loopback }: Allowed): boolean {
  const plain = unmapped(address);
  const family = isIPv4(plain) ? 'ipv4' : 'ipv6';
  if (loopback && (plain === '::1' || (family === 'ipv4' && LOOPBACK_V4.check(plain, 'ipv4')))) return true;
  return addresses.check(plain, family);
}

/** `allow` of a connection or of the runtime. Throws `E_BAD_OPTION`. */
export function compileAllow(allow: readonly string[], where: string, loopback = false): Allowed {
  if (!Array.isArray(allow)) bad(where, 'allow', "must be a list such as ['10.1.0.0/16', 'internal.example']");
  const addresses = new BlockList();
  const hosts = new Set<string>();
  for (const entry of allow as readonly unknown[]) {
    if (typeof entry !== 'string' || entry === '') return bad(where, 'allow', 'must hold texts: addresses, CIDR ranges or host names');
    const [address = '', prefix] = entry.split('/');
    const family = isIP(address);
    if (family !== 0) {
      const most = family === 4 ? 32 : 128;
      const bits = prefix === undefined ? most : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
      if (bits < 0 || bits > most) bad(where, 'allow', `has "${entry}", which is not a CIDR range`);
      addresses.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
    } else if (/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/i.test(entry)) hosts.add(entry.toLowerCase());
    else bad(where, 'allow', `has ${JSON.stringify(entry)}, which is no address, CIDR range or host name`);
  }
  return { addresses, hosts, loopback };
}

/** `::ffff:10.0.0.1` and `::ffff:a00:1` are 10.0.0.1; a zone is no part of an address. */
function unmapped(address: string): string {
  const bare = address.split('%')[0] as string;
  if (isIP(bare) !== 6) return bare;
  const canonical = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (!mapped) return canonical;
  const high = Number.parseInt(mapped[1] as string, 16);
  const low = Number.parseInt(mapped[2] as string, 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

function blocks(family: 'ipv4' | 'ipv6', ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address, bits] = range.split('/') as [string, string];
    list.addSubnet(address, Number(bits), family);
  }
  return list;
}
