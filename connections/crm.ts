/** Who a company is, who works there, and what we noted about it. */
import { bearer, connection, secret, vars } from 'holdfast';

export const crm = connection({
  name: 'crm',
  baseUrl: vars('crm'),
  auth: bearer(secret('crm/token')),
  timeout: '3s', // one attempt, body included: the demo API drips for longer
  retry: { attempts: 6, deadline: '24h' },
  idempotencyKey: { header: 'Idempotency-Key' },
});
