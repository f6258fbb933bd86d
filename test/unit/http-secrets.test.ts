import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bearer } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import type { CallError } from '../../src/http/errors.ts';
import { plainSecrets } from '../../src/http/plain-ports.ts';
import { failure, type Harness, harness, TOKEN } from '../support/http.ts';

const auth = bearer(secret('crm/token'));
let world: Harness;
beforeEach(async () => {
  world = await harness();
});
afterEach(() => world.close());

describe('a secret', () => {
  it('is in no error, whatever goes wrong', async () => {
    const crm = world.connect({ auth, retry: { attempts: 1 } });
    for (const fate of [
      { status: 400, body: `{"you sent":"${TOKEN}"}` },
      { reset: 'on-head' },
      { raw: `x ${TOKEN}\r\n\r\n` },
      { hang: true },
    ] as const) {
      world.server.script(fate);
      const error = await failure<CallError>(crm.post('/', { json: {}, timeout: '500ms', onUnknown: 'throw' }));
      expect(world.server.received.at(-1)?.headers.authorization).toBe(`Bearer ${TOKEN}`);
      expect(`${inspect(error, { depth: 9, getters: true })} ${JSON.stringify(error)} ${error.stack}`).not.toContain(TOKEN);
    }
  });

  it('that an API echoes is replaced before user code sees it, in body and headers', async () => {
    world.server.script({ headers: { 'x-echo': `Bearer ${TOKEN}` }, body: JSON.stringify({ a: TOKEN, b: `${TOKEN}${TOKEN}` }) });
    const reply = await world.connect({ auth }).get('/');
    expect(JSON.stringify(reply.data)).not.toContain(TOKEN);
    expect((reply.data as { a: string }).a).toMatch(/^‹redacted:[\w-]{8}›$/);
    expect(reply.headers.get('x-echo')).toMatch(/^Bearer <redacted:[\w-]{8}>$/);
  });

  it('that is missing is named, with nothing sent', async () => {
    world.secrets.set('crm/token', undefined);
    expect(await failure(world.connect({ auth }).get('/'))).toMatchObject({
      code: 'E_SECRET_MISSING',
      message: expect.stringContaining('"crm/token"') as string,
    });
    expect(world.server.received).toHaveLength(0);
  });

  it('that ends in a line break is refused with its name, not its value', async () => {
    world.secrets.set('crm/token', `${TOKEN}\n`);
    const error = await failure(world.connect({ auth }).get('/'));
    expect(error).toMatchObject({ code: 'E_REQUEST_INVALID', message: expect.stringContaining('"crm/token" cannot be sent') as string });
    expect(error.message).not.toContain(TOKEN);
  });

  it('is read again on a 401, and the call sent again if it has changed, at the cost of nothing', async () => {
    world.server.script((request) => {
      world.secrets.set('crm/token', 'rotated-token');
      return { status: request.headers.authorization === 'Bearer rotated-token' ? 200 : 401 };
    });
    expect((await world.connect({ auth, retry: { attempts: 1 } }).post('/', { json: {} })).status).toBe(200);
    expect(world.server.received).toHaveLength(2);
    expect(world.waits).toHaveLength(0);
  });

  it('that has not changed makes a 401 final', async () => {
    world.server.script({ status: 401 });
    expect(await failure(world.connect({ auth }).get('/'))).toMatchObject({ status: 401, attempts: 1 });
    expect(world.server.received).toHaveLength(1);
  });

  it('of plain use comes from the environment or from a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-'));
    const file = join(folder, '.env.local');
    await writeFile(file, 'CRM_TOKEN="from the file"\nHOLDFAST_SECRET_OTHER=by its variable\n');
    const secrets = plainSecrets(file);
    expect(await secrets.get('crm/token')).toBe('from the file');
    expect(await secrets.get('other')).toBe('by its variable');
    process.env.HOLDFAST_SECRET_CRM_TOKEN = 'from the environment';
    expect(await secrets.get('crm/token')).toBe('from the environment');
    delete process.env.HOLDFAST_SECRET_CRM_TOKEN;
    expect(await failure(secrets.get('none'))).toMatchObject({
      code: 'E_SECRET_MISSING',
      message: expect.stringContaining('HOLDFAST_SECRET_NONE') as string,
    });
    await rm(folder, { recursive: true });
  });
});
