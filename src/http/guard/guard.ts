/** What is open besides public https: `allow`, read and checked once. Which addresses may be called is decided in refusal.ts. */
import { BlockList, isIP } from 'node:net';
import { bad } from '../settings.ts';

export type Address = { readonly address: string; readonly family: 4 | 6 };

/** What is open besides public https on port 443. */
export type Allowed = {
  readonly addresses: BlockList;
  /** `name` or `name:port`. */
  readonly hosts: ReadonlySet<string>;
  readonly loopback: boolean;
};

export type Target = { readonly protocol: string; readonly hostname: string; readonly port: number };

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
