/** An error as it may be logged: without what names and forms say is a credential. Those of users' code and of SDKs hold whole requests. */
import { redactJson, redactText } from '../engine/redaction.ts';

const MOST_CAUSES = 4;
/** Characters of a member. */
const LONGEST = 10_000;
const LEFT_OUT = '‹left out›';
/** Said already; some errors, those of undici among them, have a name of their own as an ordinary member. */
const TOLD: ReadonlySet<string> = new Set(['name', 'message', 'stack', 'cause']);

/** A copy. Of what is no error, one that says what it was. */
export function logged(thrown: unknown, depth = 0): Error {
  if (!(thrown instanceof Error)) return new Error(redactText(String(thrown)));
  const { name, message, stack, cause } = thrown;
  const shown = new Error(redactText(message));
  Object.defineProperty(shown, 'name', { value: name, configurable: true });
  shown.stack = redactText(stack ?? '');
  if (cause !== undefined && depth < MOST_CAUSES) shown.cause = logged(cause, depth + 1);
  for (const [field, value] of Object.entries(thrown)) {
    if (TOLD.has(field)) continue;
    Object.defineProperty(shown, field, { value: member(field, value), enumerable: true });
  }
  return shown;
}

/** Sockets and agents hang on errors of HTTP clients: what is no JSON, or more than anybody reads, is left out. */
function member(field: string, value: unknown): unknown {
  try {
    const text = JSON.stringify({ [field]: value });
    return text.length > LONGEST ? LEFT_OUT : (redactJson(JSON.parse(text)) as Record<string, unknown>)[field];
  } catch {
    return LEFT_OUT;
  }
}
