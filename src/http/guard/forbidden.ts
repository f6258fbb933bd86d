/**
 * What no connection may call, whatever it or the runtime allows: where credentials of this machine are handed out, and Lambda's own
 * services. Whoever reaches these is the function. Read from the environment once; decides by address and port alone.
 */
import { isIP, isIPv4 } from 'node:net';
import { embedded, plainAddress } from './addresses.ts';

/** `hostname`: as it was asked for. */
export type Forbidden = (address: string, port: number, hostname: string) => boolean;

/** Instance metadata, credentials of ECS tasks and of EKS pods: fixed addresses, on every port. */
const METADATA: ReadonlySet<string> = new Set(['169.254.169.254', '169.254.170.2', '169.254.170.23', 'fd00:ec2::254', 'fd00:ec2::23']);

/** `host:port` (the Runtime API), `udp:host:port tcp:host:port` (X-Ray), a URL (credentials of containers). */
const VARIABLES = ['AWS_LAMBDA_RUNTIME_API', 'AWS_XRAY_DAEMON_ADDRESS', 'AWS_CONTAINER_CREDENTIALS_FULL_URI'] as const;

/** On loopback a port is closed under every loopback address, since a service that listens to one often listens to all. */
export function forbiddenBy(env: Readonly<Record<string, string | undefined>>): Forbidden {
  const addresses = new Set(METADATA);
  const ports = new Set<number>();
  const named = new Set<string>();
  for (const name of VARIABLES) {
    for (const { host, port } of places(env[name])) {
      if (host === 'localhost' || isLocal(host)) ports.add(port);
      else if (isIPv4(host) && host.startsWith('169.254.')) addresses.add(host);
      else named.add(`${host} ${port}`);
    }
  }
  return (address, port, hostname) => {
    const plain = plainAddress(address);
    if (named.has(`${hostname} ${port}`)) return true;
    return [plain, ...embedded(plain)].some(
      (one) => addresses.has(one) || named.has(`${one} ${port}`) || (ports.has(port) && isLocal(one)),
    );
  };
}

function places(text: string | undefined): Array<{ host: string; port: number }> {
  return (text ?? '')
    .split(/\s+/)
    .filter((one) => one !== '')
    .flatMap((one) => {
      const url = one.includes('://') ? one : `http://${one.replace(/^(?:tcp|udp):/, '')}`;
      if (!URL.canParse(url)) return [];
      const { hostname, port, protocol } = new URL(url);
      const host = hostname.replace(/^\[|\]$/g, '');
      return [{ host: isIP(host) === 0 ? host : plainAddress(host), port: Number(port) || (protocol === 'https:' ? 443 : 80) }];
    });
}

/** 127.0.0.0/8, ::1, and the addresses that mean "this machine" to a socket that connects. */
const isLocal = (address: string): boolean => /^(?:127|0)\.\d+\.\d+\.\d+$/.test(address) || address === '::1' || address === '::';
