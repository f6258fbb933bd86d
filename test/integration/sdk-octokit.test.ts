import { Octokit } from 'octokit';
import { afterEach, describe, expect, it } from 'vitest';
import { workflow } from '../../src/engine/workflow.ts';
import { bearer } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { connection } from '../../src/http/connection.ts';
import { applied, notApplied, reconcile } from '../../src/http/unknown.ts';
import { killedEverywhere, type Mortal, mortal } from '../support/engine/mortal.ts';
import { harness } from '../support/http.ts';
import { githubServer, OWNER, REPO } from '../support/providers/github.ts';
import type { Fate } from '../support/providers/server.ts';

const secrets = { 'github/token': 'ghp_of_the_connection' };
const repo = { owner: OWNER, repo: REPO };
type Github = Awaited<ReturnType<typeof githubServer>>;
const servers: Github[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(): Promise<Github> {
  const server = await githubServer();
  servers.push(server);
  return server;
}

/** Issues have no idempotency key: whether one was created is asked of the API. */
function github(url: string) {
  const made = connection({
    name: 'github',
    baseUrl: url,
    auth: bearer(secret('github/token')),
    routes: [
      { method: 'POST', path: '/graphql', effects: 'safe' },
      {
        method: 'POST',
        path: '/repos/:owner/:repo/issues',
        onUnknown: reconcile(async ({ request }) => {
          const { title } = JSON.parse(String(request.body)) as { title: string };
          const { data } = await made.get(new URL(request.url).pathname, { query: { per_page: 100 } });
          const found = (data as Array<{ title: string }>).find((issue) => issue.title === title);
          return found ? applied({ status: 201, data: found }) : notApplied();
        }),
      },
    ],
  });
  return made;
}

const sdk = (url: string, fetch = github(url).fetch) =>
  new Octokit({ baseUrl: url, request: { fetch }, retry: { enabled: false }, throttle: { enabled: false } });

/** Reads all pages, asks by GraphQL, and creates two issues. */
function triage(url: string, octokit = sdk(url)) {
  return workflow({
    name: 'triage',
    async run() {
      const issues = await octokit.paginate(octokit.rest.issues.listForRepo, { ...repo, per_page: 3 });
      const { repository } = await octokit.graphql<{ repository: { issues: { totalCount: number } } }>(
        'query($owner: String!, $repo: String!) { repository(owner: $owner, name: $repo) { issues { totalCount } } }',
        repo,
      );
      const created: number[] = [];
      for (const title of ['first', 'second']) created.push((await octokit.rest.issues.create({ ...repo, title })).data.number);
      return { read: issues.map(({ number }) => number), total: repository.issues.totalCount, created };
    },
  });
}

const expected = { read: [7, 6, 5, 4, 3, 2, 1], total: 7, created: [8, 9] };

describe('octokit, unmodified, in a run', () => {
  it('pages by Link headers, asks by GraphQL and creates issues, each once, whatever is replayed', async () => {
    const server = await start();
    const world = mortal({ workflow: triage(server.url), secrets, maxDeliveries: 1 });
    await world.toTheEnd();
    expect(world.value()).toEqual(expected);
    expect(server.effects.map(({ what }) => what)).toEqual(['first', 'second']);
    expect(server.requests.every(({ headers }) => headers.authorization === 'Bearer ghp_of_the_connection')).toBe(true);
  });

  it.each<[string, Fate[]]>([
    ['a secondary rate limit', ['throttle', 'serve']],
    ['a 500 of a read', ['fail', 'serve']],
    ['a reset of a read', ['reset-after', 'serve']],
    ['a 500 of a creation', ['serve', 'serve', 'serve', 'serve', 'fail', 'serve']],
    ['a reset before a creation', ['serve', 'serve', 'serve', 'serve', 'reset-before', 'serve']],
    ['a reset after a creation', ['serve', 'serve', 'serve', 'serve', 'reset-after', 'serve']],
  ])('goes on after %s, and creates nothing twice', async (_name, fates) => {
    const server = await start();
    server.script(...fates);
    const world = mortal({ workflow: triage(server.url), secrets });
    await world.toTheEnd();
    expect(world.value()).toEqual(expected);
    expect(server.effects).toHaveLength(2);
  });

  it.each<[string, Fate[]]>([
    ['', ['serve']],
    [', with a reset after the effect on the way', ['serve', 'throttle', 'serve', 'serve', 'fail', 'serve', 'reset-after', 'serve']],
  ])('finishes when it is killed at any await%s, and creates nothing twice', async (_name, fates) => {
    const points = await killedEverywhere(async (killAt): Promise<Mortal> => {
      const server = await start();
      server.script(...fates);
      const world = mortal({ workflow: triage(server.url), secrets, killAt });
      await world.toTheEnd();
      expect(world.value()).toEqual(expected);
      expect(server.repeated()).toEqual([]);
      expect(server.effects).toHaveLength(2);
      for (const one of servers.splice(0)) await one.close();
      return world;
    });
    expect(points).toBeGreaterThan(20);
  });

  it('hears of final answers as its own errors, alike on every replay', async () => {
    const server = await start();
    const octokit = sdk(server.url);
    const seen = new Set<string>();
    const world = mortal({
      secrets,
      maxDeliveries: 1,
      workflow: workflow({
        name: 'missing',
        async run() {
          const error = await octokit
            .request('GET /nothing')
            .catch((thrown: Error & { status: number }) => `${thrown.name} ${thrown.status}`);
          seen.add(error as string);
          await octokit.rest.issues.create({ ...repo, title: 'one' });
          return error;
        },
      }),
    });
    await world.toTheEnd();
    expect([...seen]).toEqual(['HttpError 404']);
  });
});

describe('octokit outside a run', () => {
  it('works plainly', async () => {
    const plain = await harness();
    plain.secrets.set('github/token', secrets['github/token']);
    const server = await start();
    server.script('throttle', 'serve');
    const octokit = sdk(server.url);
    expect(await octokit.paginate(octokit.rest.issues.listForRepo, { ...repo, per_page: 3 })).toHaveLength(7);
    expect((await octokit.rest.issues.create({ ...repo, title: 'plain' })).data.number).toBe(8);
    await plain.close();
  });
});
