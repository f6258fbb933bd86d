/**
 * The sealed replies of one call, opened: by the attempt that received them, or before the journal's is delivered. User code is
 * handed the clear text without waiting for anything, live and on replay alike.
 */
import type { LoadEnv } from '../../engine/operation.ts';
import type { StoredReply } from '../reply.ts';
import { runtimeOf } from '../runtime.ts';

/** What people see in its place. */
export const SEALED_MARK = '‹sealed›';

export type Vault = {
  keep(sealed: string, clear: string): void;
  /** `undefined`: there is nothing to open. Rejects with `E_SEALED`, or with what the source of the deployment key throws. */
  load(value: string, env: LoadEnv): Promise<void> | undefined;
  /** Of what was kept or loaded. Anything else is as it is. */
  open(value: string): string;
};

export function vault(): Vault {
  // Most calls have nothing to open.
  let opened: Map<string, string> | undefined;
  const keep = (sealed: string, clear: string) => {
    opened ??= new Map();
    opened.set(sealed, clear);
  };
  return {
    keep,
    load(value, env) {
      if (!mayBeSealed(value) || opened?.has(value)) return undefined;
      const stored = JSON.parse(value) as StoredReply;
      if (stored.sealed === undefined) return undefined;
      const { box } = stored.sealed;
      return runtimeOf(env.services)
        .unseal(purposeOf(env), box)
        .then((inside) => keep(value, unpacked(stored, inside)));
    },
    open: (value) => opened?.get(value) ?? value,
  };
}

/** Bound to its place: what is copied into another run, or to another call, does not open there. */
export function purposeOf({ run, op }: Pick<LoadEnv, 'run' | 'op'>): string {
  return `reply ${run?.id} ${op}`;
}

/** Cheap, for every delivery: a sealed reply ends in its box. */
export const mayBeSealed = (value: string): boolean => value.endsWith('"}}');

function unpacked({ sealed, text = '', ...rest }: StoredReply, inside: string): string {
  if (sealed?.at === undefined) return JSON.stringify({ ...rest, ...(JSON.parse(inside) as object) });
  const parts = JSON.parse(inside) as string[];
  const mark = JSON.stringify(SEALED_MARK).length;
  let clear = '';
  let from = 0;
  for (const [index, at] of sealed.at.entries()) {
    clear += text.slice(from, at) + parts[index];
    from = at + mark;
  }
  return JSON.stringify({ ...rest, text: clear + text.slice(from) });
}
