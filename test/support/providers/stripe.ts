/**
 * The part of Stripe's API that the tests use. Examples of replies: stripe/openapi, openapi/fixtures3.json (commit f6c2a48 of
 * 2026-08-21), shortened to what is read. Idempotency, errors and paging: docs.stripe.com/api, as of the same month.
 */
import { type Provider, providerServer, type Served } from './server.ts';

type Customer = { id: string; email: string | null };

function customerOf({ id, email }: Customer) {
  return {
    address: null,
    balance: 0,
    created: 1234567890,
    currency: 'usd',
    delinquent: false,
    description: null,
    email,
    id,
    invoice_prefix: '7FE1103',
    livemode: false,
    metadata: {},
    name: null,
    object: 'customer',
    phone: null,
    preferred_locales: [],
    tax_exempt: 'none',
    test_clock: null,
  };
}

function intentOf(serial: number, form: URLSearchParams) {
  return {
    amount: Number(form.get('amount')),
    amount_capturable: 0,
    amount_received: 0,
    capture_method: 'automatic',
    confirmation_method: 'automatic',
    created: 1234567890,
    currency: form.get('currency'),
    customer: form.get('customer'),
    id: `pi_1PgafyB7WZ01zgkWSjxsAJo${serial}`,
    livemode: false,
    metadata: {},
    object: 'payment_intent',
    payment_method_types: ['card'],
    status: 'requires_payment_method',
  };
}

const error = (status: number, body: object, headers: Record<string, string> = {}): Served => ({
  status,
  headers: { 'request-id': 'req_456', 'stripe-version': '2026-07-29.dahlia', ...headers },
  body: { error: body },
});

export async function stripeServer() {
  const customers: Customer[] = Array.from({ length: 5 }, (_, index) => ({ id: `cus_old${index}`, email: `${index}@example.com` }));
  let serial = 0;

  const provider: Provider = {
    keys: { header: 'idempotency-key', replayed: { 'idempotent-replayed': 'true' } },
    serve({ method, path, query, body }, effect) {
      const headers = { 'request-id': 'req_123', 'stripe-version': '2026-07-29.dahlia' };
      if (method === 'GET' && path === '/v1/customers') {
        const size = Number(query.get('limit') ?? 2);
        const after = query.get('starting_after');
        const from = after === null ? 0 : customers.findIndex(({ id }) => id === after) + 1;
        return {
          status: 200,
          headers,
          body: {
            object: 'list',
            url: '/v1/customers',
            has_more: from + size < customers.length,
            data: customers.slice(from, from + size).map(customerOf),
          },
        };
      }
      const form = new URLSearchParams(body);
      if (method === 'POST' && path === '/v1/customers') {
        const customer = { id: `cus_QXg1o8vcGmoR3${serial++}`, email: form.get('email') };
        effect(`customer ${customer.email}`);
        customers.push(customer);
        return { status: 200, headers, body: customerOf(customer) };
      }
      if (method === 'POST' && path === '/v1/payment_intents') {
        effect(`charge ${form.get('amount')} ${form.get('currency')} ${form.get('customer')}`);
        return { status: 200, headers, body: intentOf(serial++, form) };
      }
      return error(404, { type: 'invalid_request_error', message: `Unrecognized request URL (${method}: ${path}).` });
    },
    throttle: () =>
      error(
        429,
        { type: 'invalid_request_error', code: 'rate_limit', message: 'Request rate limit exceeded.' },
        { 'retry-after': '5', 'stripe-rate-limited-reason': 'global-rate', 'stripe-should-retry': 'true' },
      ),
    fail: () => error(500, { type: 'api_error', message: 'An unknown error occurred' }),
  };
  return { ...(await providerServer(provider)), customers };
}
