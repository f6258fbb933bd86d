/** Where the body of a reply is kept: in memory while it is small, which is what most are; beyond that in the payload store. */
import type { AttemptEnv } from '../../engine/operation.ts';
import type { PayloadStore } from '../../engine/ports.ts';
import type { Call } from '../call.ts';
import type { HttpRuntime } from '../runtime.ts';
import { PIECE_BYTES } from './rooms.ts';
import { memorySink, type OpenSink } from './sink.ts';

/** Decoded bytes. What is in memory goes into the journal, and what the journal compresses well costs no object of its own. */
export const INLINE_BYTES = PIECE_BYTES;

/** Decoded bytes. So much of each body is taken as it comes; more of it waits for a room. */
const HELD_BYTES = 64 * 1024;

/** `secrets`: taken out of what is kept. What is to be encrypted is so as a whole, by who has it all. */
export function keepBody(call: Call, env: AttemptEnv, http: HttpRuntime, secrets: readonly string[]): OpenSink {
  if (call.settings.encrypt !== undefined && env.run) return () => memorySink();
  return () =>
    memorySink(HELD_BYTES, async (held) => {
      const { newRef, spill } = await import('./spill.ts');
      const { scrubber } = await import('../secrecy/redact.ts');
      const store: Pick<PayloadStore, 'put'> = { put: async (key, data) => (await payloadsOf(env)).put(key, data) };
      return spill(store, newRef(env), { rooms: http.rooms, filter: scrubber(secrets, http), held, inline: true, frees: true });
    });
}

/** The run's, or for a call without one the process's own. */
export async function payloadsOf({ payloads }: Pick<AttemptEnv, 'payloads'>): Promise<PayloadStore> {
  if (payloads) return payloads;
  const { tempPayloads } = await import('./temp-payloads.ts');
  return tempPayloads();
}
