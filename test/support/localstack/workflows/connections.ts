/** The suite's own API, as connections. */
import { bearer, connection, secret, vars } from 'holdfast';

const common = {
  baseUrl: vars('test-api'),
  // Where functions run in containers, this machine has another name.
  allow: ['127.0.0.1', 'host.docker.internal'],
  timeout: '5s',
};

export const api = connection({ name: 'test-api', ...common, retry: { attempts: 4, deadline: '1h' } });
/** Its POSTs may be made again: they carry a key that is made with the stage's own secret. */
export const keyed = connection({ name: 'keyed-api', ...common, idempotencyKey: { header: 'Idempotency-Key' } });
/** Its secret is made by the test, in Secrets Manager. */
export const locked = connection({ name: 'locked-api', ...common, auth: bearer(secret('locked/token')) });
/** A 429 stops all calls of its connection: those of other tests are none of them. */
export const throttling = connection({ name: 'throttling-api', ...common, retry: { attempts: 4, deadline: '1h' } });
/** Its published limit is five a second. */
export const limited = connection({ name: 'limited-api', ...common, rateLimit: { requests: 5, per: '1s' } });

/** A test holds it. */
export const held = connection({ name: 'held-api', ...common });

export const connections = [api, keyed, locked, throttling, limited, held];
