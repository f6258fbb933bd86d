/** Secrets from a file of `NAME=value` lines, for a developer's machine. `crm/token` is the line `CRM_TOKEN`. */
import { readFile } from 'node:fs/promises';
import { HoldfastError } from '../engine/errors.ts';
import type { SecretSource } from '../engine/ports.ts';

/** The file is read once, and again when a secret is asked for fresh or is not in what was read. */
export function envFileSecrets(path: string): SecretSource {
  let cached: Promise<Map<string, string>> | undefined;
  const read = () => {
    cached = readFile(path, 'utf8').then(parseEnvFile, (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return new Map<string, string>();
      throw error;
    });
    // A file that cannot be read now may be readable at the next try.
    cached.catch(() => {
      cached = undefined;
    });
    return cached;
  };
  return {
    async get(name, { fresh = false } = {}) {
      const variable = variableOf(name);
      const known = fresh || !cached ? undefined : (await cached).get(variable);
      const value = known ?? (await read()).get(variable);
      if (value === undefined) {
        throw new HoldfastError('E_SECRET_MISSING', `the secret "${name}" is missing: add a line ${variable}=… to ${path}`, {
          detail: { secret: name, lookedIn: path },
        });
      }
      return value;
    },
  };
}

export const variableOf = (name: string): string => name.toUpperCase().replace(/[^A-Z0-9]+/g, '_');

/** Lines that are empty, comments or without `=` are passed over; one pair of quotes around a value is taken off. */
export function parseEnvFile(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) values.set(match[1], match[2].replace(/^(["'])(.*)\1$/, '$2'));
  }
  return values;
}
