/** The public register of companies: what they do, how many they are, since when. Read only. */
import { bearer, connection, secret, vars } from 'holdfast';

export const registry = connection({
  name: 'registry',
  baseUrl: vars('registry'),
  auth: bearer(secret('registry/token')),
  timeout: '3s',
  retry: { attempts: 6, deadline: '6h' }, // a night's work must be done by the morning
});
