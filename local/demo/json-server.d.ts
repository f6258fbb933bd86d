/** What the demo uses of json-server, which ships no types. */
declare module 'json-server/lib/app.js' {
  import type { IncomingMessage, ServerResponse } from 'node:http';
  import type { Low } from 'lowdb';

  export function createApp(db: Low<Record<string, Array<Record<string, unknown>>>>): {
    handler(request: IncomingMessage, response: ServerResponse): unknown;
  };
}
