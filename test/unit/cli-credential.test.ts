import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TOKEN, testApi } from '../support/api.ts';
import { type Served, serveApi } from '../support/api-server.ts';
import { type CliOptions, cli } from '../support/cli.ts';

let world: ReturnType<typeof testApi>;
let served: Served;
beforeEach(async () => {
  world = testApi();
  served = await serveApi(world);
});
afterEach(() => served.stop());

const run = (args: string[], options: CliOptions = {}) =>
  cli({ env: { HOLDFAST_URL: served.url, HOLDFAST_TOKEN: TOKEN }, ...options })(...args);
const ACME = { connection: 'crm', account: 'acme & co' };
const kept = async () =>
  JSON.parse(Buffer.from((await world.credentials.get(ACME))?.sealed?.slice(7) ?? '', 'base64').toString())[1] as unknown;

describe('holdfast credential', () => {
  it('stores a token from stdin without the line break at its end, and prints none of it', async () => {
    const run1 = await world.putRun({ status: 'paused' });
    await world.credentials.wait(ACME, run1.id);
    const put = await run(['credential', 'put', 'crm', 'acme & co', '--token-stdin'], { stdin: 'the-token-itself\n' });
    expect(put).toMatchObject({ code: 0, out: 'stored the credential of acme & co of crm, 1 run that waited for it goes on\n' });
    expect(await kept()).toEqual({ token: 'the-token-itself' });
    expect(put.out + put.err).not.toContain('the-token-itself');
  });

  it('stores what JSON says, lists it, and removes it', async () => {
    const grant = { refreshToken: 'the-refresh-token', metadata: { place: 'eu' } };
    expect(await run(['credential', 'put', 'crm', 'acme & co', '--json-stdin'], { stdin: JSON.stringify(grant) })).toMatchObject({
      code: 0,
    });
    expect(await kept()).toEqual(grant);
    const list = await run(['credential', 'list', 'crm']);
    expect(list.out).toMatch(/ACCOUNT +STATUS +VERSION[^\n]*\nacme & co +ok +1 /);
    const json = await run(['credential', 'list', 'crm', '--json']);
    expect(JSON.parse(json.out)).toMatchObject({ items: [{ account: 'acme & co', status: 'ok', waiting: 0 }] });
    expect(list.out + json.out).not.toContain('the-refresh-token');
    expect(await run(['credential', 'remove', 'crm', 'acme & co'])).toMatchObject({ code: 0 });
    expect(await run(['credential', 'list', 'crm'])).toMatchObject({ out: 'No accounts of crm.\n' });
    const gone = await run(['credential', 'remove', 'crm', 'acme & co']);
    expect(gone).toMatchObject({ code: 1, err: expect.stringContaining('E_UNKNOWN_CREDENTIAL') as string });
  });

  it.each([
    [[], '', 'give --token-stdin or --json-stdin'],
    [['--token-stdin', '--json-stdin'], 'x', 'give --token-stdin or --json-stdin'],
    [['--json-stdin'], 'the-token-itself', 'stdin is not JSON'],
    [['--token-stdin'], '\n', '/token of the body must not be empty'],
    [['--token-stdin'], 'the-token-itself\n\n', 'must not have line breaks'],
  ])('put %j of %j is wrong usage, told without the secret', async (options, stdin, said) => {
    const result = await run(['credential', 'put', 'crm', 'acme & co', ...options], { stdin });
    expect(result.code).toBe(2);
    expect(result.err).toContain(said);
    expect(result.out + result.err).not.toContain('the-token-itself');
    expect(await world.credentials.get(ACME)).toBeUndefined();
  });
});
