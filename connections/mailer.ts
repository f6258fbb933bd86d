/** Sends e-mail. Knows no idempotency keys: a message posted twice is delivered twice. */
import { applied, bearer, connection, notApplied, reconcile, secret, vars } from 'holdfast';
import * as z from 'zod/mini';

export const mailer = connection({
  name: 'mailer',
  baseUrl: vars('mailer'),
  auth: bearer(secret('mailer/token')),
  timeout: '3s',
  retry: { attempts: 6, deadline: '24h' },
});

export const Message = z.object({ id: z.string(), reference: z.string() });
const Found = z.object({ items: z.array(Message) });

/** Whether the message of that reference was accepted, when its POST went and no answer came: the mailer is asked. */
export const askMailer = (reference: string) =>
  reconcile(async () => {
    const { data } = await mailer.get('/messages', { query: { reference }, schema: Found });
    const [message] = data.items;
    return message ? applied({ status: 201, data: message }) : notApplied();
  });
