/** The trace that a request belongs to. */

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** One that is malformed is as if absent (W3C Trace Context, section 3.2). */
export function traceOf(header: string | undefined): { traceparent?: string } {
  const traceparent = header?.trim();
  return traceparent !== undefined && TRACEPARENT.test(traceparent) ? { traceparent } : {};
}
