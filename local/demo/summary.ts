/** The demo's summariser: the first sentences, which is what the best of them often do. Pure. */
import type { Answer } from './routes.ts';

export function shorten(body: unknown): Answer {
  const { text, sentences = 3 } = (typeof body === 'object' && body !== null ? body : {}) as { text?: unknown; sentences?: unknown };
  if (typeof text !== 'string' || typeof sentences !== 'number')
    return { status: 422, body: { error: '"text" and a number of "sentences" are needed' } };
  const summary = text
    .split(/(?<=[.!?])\s+/)
    .slice(0, sentences)
    .join(' ');
  return { status: 200, body: { summary } };
}
