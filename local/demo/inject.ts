/** Does to a request on its socket what the plan says. Knows nothing of routes and state. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { Fault } from './faults.ts';
import type { Answer } from './routes.ts';

/** Milliseconds: how long the slow answer rests half-way, and between two bytes of a drip. */
export type Pace = { slow: number; drip: number };

/**
 * The faults that come before any effect. `true`: the request is dealt with.
 * `seconds`: how long a caller that is throttled is to stay away.
 */
export function spoilBefore(fault: Fault | undefined, request: IncomingMessage, response: ServerResponse, seconds: number): boolean {
  switch (fault) {
    case 'burst-503':
      plain(response, { status: 503, body: { error: 'overloaded, try later' } });
      return true;
    case 'throttle-seconds':
    case 'throttle-date': {
      // Both dates from one moment in whole seconds, so that their difference is what is meant.
      const now = Math.floor(Date.now() / 1000) * 1000;
      response.setHeader('date', new Date(now).toUTCString());
      response.setHeader('retry-after', fault === 'throttle-date' ? new Date(now + seconds * 1000).toUTCString() : String(seconds));
      plain(response, { status: 429, body: { error: 'too many requests' } });
      return true;
    }
    case 'reset-before-effect':
      request.socket.resetAndDestroy();
      return true;
    default:
      return false;
  }
}

/** Sends the answer, well or badly. What comes here has happened already. */
export async function send(
  fault: Fault | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  pace: Pace,
  stopped: AbortSignal,
): Promise<void> {
  if (fault === 'reset-after-effect') {
    request.socket.resetAndDestroy();
    return;
  }
  if (fault !== 'slow-body' && fault !== 'drip-body') return plain(response, answer);
  const text = head(response, answer);
  const gone = AbortSignal.any([stopped, onClose(response)]);
  const size = fault === 'slow-body' ? Math.ceil(text.length / 2) : 1;
  try {
    for (let at = 0; at < text.length; at += size) {
      response.write(text.subarray(at, at + size));
      await wait(fault === 'slow-body' ? pace.slow / 2 : pace.drip, undefined, { signal: gone });
    }
    response.end();
  } catch (error) {
    if (!gone.aborted) throw error;
  }
}

export function plain(response: ServerResponse, answer: Answer): void {
  response.end(head(response, answer));
}

function head(response: ServerResponse, answer: Answer): Buffer {
  const text = Buffer.from(JSON.stringify(answer.body));
  response.writeHead(answer.status, { 'content-type': 'application/json', 'content-length': text.length });
  return text;
}

function onClose(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => controller.abort());
  return controller.signal;
}
