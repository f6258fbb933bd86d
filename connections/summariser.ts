/** Makes a few sentences out of many. Asking changes nothing there, so its POST may be repeated without a key. */
import { bearer, connection, secret, vars } from 'holdfast';
import * as z from 'zod/mini';

export const summariser = connection({
  name: 'summariser',
  baseUrl: vars('summariser'),
  auth: bearer(secret('summariser/token')),
  timeout: '5s',
  routes: [{ method: 'POST', path: '/summaries', effects: 'safe' }],
});

export const Summary = z.object({ summary: z.string() });
