/**
 * What most calls do not need: of connections with limits, of those that are stopped, of attempts that failed. Loaded once for the
 * process, with the first of them: all of it happens within an attempt, where a few milliseconds more change nothing.
 */
export type LateParts = Pick<typeof import('./asking.ts'), 'openAsking'> & Pick<typeof import('./writing.ts'), 'openWriting'>;

let parts: Promise<LateParts> | undefined;

export function lateParts(): Promise<LateParts> {
  parts ??= Promise.all([import('./asking.ts'), import('./writing.ts')]).then(([asking, writing]) => ({ ...asking, ...writing }));
  return parts;
}
