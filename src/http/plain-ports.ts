/** Time, chance and secrets for calls made outside any worker: the process's own. */
import { randomInt, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import { HoldfastError } from '../engine/errors.ts';
import type { Clock, Entropy, SecretSource } from '../engine/ports.ts';

const LONGEST_MS = 2 ** 31 - 1;
const RANGE = 2 ** 48 - 1;

/** Its timers keep the process alive: a script that awaits a retry must not end before it. */
export const plainClock: Clock = {
  now: () => Date.now(),
  timer(ms, fn) {
    const timer = setTimeout(fn, Math.min(LONGEST_MS, Math.max(0, Math.ceil(ms))));
    return { cancel: () => clearTimeout(timer) };
  },
};

export const plainEntropy: Entropy = { id: () => randomUUID(), random: () => randomInt(RANGE) / RANGE };

/** `crm/token` is the variable `HOLDFAST_SECRET_CRM_TOKEN`, or the line `CRM_TOKEN=…` (or that variable's) of the file `.env.local`. */
export function plainSecrets(file = '.env.local'): SecretSource {
  return {
    async get(name) {
      const line = name.toUpperCase().replace(/[^A-Z0-9]+/g, '_');
      const variable = `HOLDFAST_SECRET_${line}`;
      let value = process.env[variable];
      if (value === undefined) {
        const lines = parseEnv(await readFile(file, 'utf8').catch(() => ''));
        value = lines[variable] ?? lines[line];
      }
      if (value === undefined) {
        throw new HoldfastError(
          'E_SECRET_MISSING',
          `the secret "${name}" is missing: set ${variable}, or add a line ${line}=… to ${file}`,
          {
            detail: { secret: name },
          },
        );
      }
      return value;
    },
  };
}
