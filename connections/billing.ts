/** The accounts of our customers. */
import { bearer, connection, secret, vars } from 'holdfast';

export const billing = connection({
  name: 'billing',
  baseUrl: vars('billing'),
  auth: bearer(secret('billing/token')),
  timeout: '3s',
  retry: { attempts: 6, deadline: '24h' },
  idempotencyKey: { header: 'Idempotency-Key' },
});
