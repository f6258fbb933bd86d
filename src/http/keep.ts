/** Where the body of a reply is kept: in memory while it is small, which is what most are; beyond that in the payload store. */
import type { AttemptEnv } from '../engine/operation.ts';
import type { PayloadStore } from '../engine/ports.ts';
import type { Call } from './call.ts';
import type { HttpRuntime } from './runtime.ts';
import { memorySink, type OpenSink } from './sink.ts';

/** Decoded bytes. What is in memory goes into the journal, and what the journal compresses well costs no object of its own. */
export const INLINE_BYTES = 256 * 1024;

/** `secrets`: taken out of what is kept. What is to be encrypted is so as a whole, by who has it all. */
export function keepBody(call: Call, env: AttemptEnv, http: HttpRuntime, secrets: readonly string[]): OpenSink {
  if (call.settings.encrypt !== undefined && env.run) return () => memorySink();
  return () =>
    memorySink(INLINE_BYTES, async (held, room) => {
      const { newRef, spill } = await import('./spill.ts');
      const { scrubber } = await import('./redact.ts');
      return spill(await payloadsOf(env), newRef(env), { filter: scrubber(secrets, http), held, room, turn: http.storing });
    });
}

/** The run's, or for a call without one the process's own. */
export async function payloadsOf({ payloads }: Pick<AttemptEnv, 'payloads'>): Promise<PayloadStore> {
  if (payloads) return payloads;
  const { tempPayloads } = await import('./temp-payloads.ts');
  return tempPayloads();
}
