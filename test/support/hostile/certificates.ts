/** One good certificate and one for each way of being wrong; made once a process. */
import { createSecureContext, type SecureContext } from 'node:tls';
import { selfSigned } from '../self-signed.ts';

export const DOMAIN = 'chaos.test';
const DAY_MS = 86_400_000;
const day = (offset: number): Date => new Date(Date.now() + offset * DAY_MS);

export type Certificates = {
  readonly contexts: Readonly<Record<'good' | 'expired' | 'early' | 'stranger' | 'wrong-host', SecureContext>>;
  /** What clients are to trust: all but the stranger's. */
  readonly ca: string;
};

let made: Certificates | undefined;

export function certificates(): Certificates {
  if (made) return made;
  const host = `*.${DOMAIN}`;
  const pairs = {
    good: selfSigned({ host }),
    expired: selfSigned({ host, from: day(-2), to: day(-1) }),
    early: selfSigned({ host, from: day(1), to: day(2) }),
    stranger: selfSigned({ host }),
    'wrong-host': selfSigned({ host: 'other.test' }),
  };
  const { good, expired, early } = pairs;
  const context = ({ key, cert }: { key: string; cert: string }) => createSecureContext({ key, cert });
  made = {
    contexts: {
      good: context(good),
      expired: context(expired),
      early: context(early),
      stranger: context(pairs.stranger),
      'wrong-host': context(pairs['wrong-host']),
    },
    ca: [good, expired, early, pairs['wrong-host']].map(({ cert }) => cert).join(''),
  };
  return made;
}
