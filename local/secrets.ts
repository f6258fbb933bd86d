/** Where functions find secrets here: an `env-file:` relative to the project, or the demo's own while a developer has none. */
import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

const PREFIX = 'env-file:';
export const ROOT = join(import.meta.dirname, '..');
export const DEMO_SECRETS = join(import.meta.dirname, 'demo', 'demo.env');

/** Functions run in their own folders, so the path must be absolute. Other locations stay as they are. */
export function resolveSecrets(location: string | undefined, exists: (path: string) => boolean = existsSync): string | undefined {
  if (!location?.startsWith(PREFIX)) return location;
  const path = location.slice(PREFIX.length);
  const absolute = isAbsolute(path) ? path : join(ROOT, path);
  return `${PREFIX}${!exists(absolute) && !isAbsolute(path) ? DEMO_SECRETS : absolute}`;
}
