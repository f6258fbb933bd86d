/** A company becomes a customer: an account, a note for sales, and, after the trial, a welcome that fits how they used it. */
import { map, sleep, step, workflow } from 'holdfast';
import * as z from 'zod/mini';
import { billing } from '../connections/billing.ts';
import { crm } from '../connections/crm.ts';
import { askMailer, Message, mailer } from '../connections/mailer.ts';

const Company = z.object({ name: z.string(), domain: z.string() });
const Account = z.object({ id: z.string(), users: z.array(z.string()) });
const Usage = z.object({ logins: z.number() });

export const onboardCustomer = workflow({
  name: 'onboard-customer',
  description: 'Creates the account of a company that the CRM knows, and welcomes it when its trial is over.',
  input: z.strictObject({
    domain: z.string().check(z.minLength(4), z.regex(/^[a-z0-9.-]+$/, 'must be a domain such as acme.example')),
    seats: z.int().check(z.positive()),
    trial: z._default(z.string().check(z.regex(/^\d+ ?(ms|s|m|h|d|days?)$/, "must be a duration such as '3 days'")), '3 days'),
  }),
  async run({ domain, seats, trial }) {
    const [company, existing] = await Promise.all([
      crm.get(`/companies/${domain}`, { schema: Company }),
      billing.get('/accounts', { query: { domain }, acceptStatus: [404] }),
    ]);
    if (existing.status !== 404) return { created: false };

    const { data: account } = await billing.post('/accounts', { json: { name: company.data.name, domain, seats }, schema: Account });
    await crm.post('/notes', { json: { domain, text: `Account ${account.id} with ${seats} seats` } });
    await sleep(trial);

    const usage = await map(account.users, (user) => crm.get(`/users/${user}/usage`, { schema: Usage }), { concurrency: 20 });
    const active = usage.filter((reply) => reply.data.logins > 0).length;
    const text = await step('write-welcome', async () => welcome(company.data.name, active, seats), { idempotent: true, timeout: '3s' });

    const reference = `welcome-${account.id}`;
    const email = await mailer.post('/messages', {
      json: { to: `team@${domain}`, text, reference },
      schema: Message,
      onUnknown: askMailer(reference),
    });
    return { created: true, account: account.id, active, email: email.data.id };
  },
});

function welcome(name: string, active: number, seats: number): string {
  return active === 0 ? `Dear ${name}, shall we show you around?` : `Dear ${name}, ${active} of your ${seats} seats are in use already.`;
}
