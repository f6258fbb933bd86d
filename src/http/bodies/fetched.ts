/** What of a reply is not in the journal, to be had before its delivery: the whole body, or a handle on it that reads nothing yet. */
import type { AttemptEnv } from '../../engine/operation.ts';
import type { Call } from '../call.ts';
import type { Fetched, StoredReply } from '../reply.ts';
import { payloadsOf } from './keep.ts';
import { fetchBody, storedBody } from './stored-body.ts';

type Env = Pick<AttemptEnv, 'payloads'>;

export async function fetchedFor(stored: StoredReply, call: Call, env: Env): Promise<Fetched> {
  const fetched = await lookAt(stored, call, env);
  const { body } = stored;
  if (body && !env.payloads) {
    const { dropUnread, tempPayloads } = await import('./temp-payloads.ts');
    if (fetched.file) dropUnread(body);
    else await (await tempPayloads()).drop(body.ref);
  }
  return fetched;
}

/** The same, for those who are asked what the reply means while it is not delivered yet. */
export async function lookAt(stored: StoredReply, call: Pick<Call, 'as' | 'label'>, env: Env): Promise<Fetched> {
  const payloads = await payloadsOf(env);
  const { body, truncated } = stored;
  if (call.as === 'file' || truncated || !body) return { file: storedBody(stored, call.label, payloads) };
  return { bytes: await fetchBody(payloads, body) };
}
