/**
 * The part of GitHub's API that the tests use. Examples of replies: octokit/fixtures, scenarios/api.github.com/paginate-issues (commit
 * 214f5aa) and test/fixtures/create-issue.json (commit 9b471da), shortened to what is read, read on 2026-08-22. Rate limits:
 * docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api. There are no idempotency keys in this API.
 */
import { type Provider, type ProviderServer, providerServer, type Served } from './server.ts';

const OWNER = 'octokit-fixture-org';
const REPO = 'paginate-issues';
const PER_PAGE = 3;

type Issue = { number: number; title: string };

const LIMITS = {
  'x-ratelimit-limit': '5000',
  'x-ratelimit-remaining': '4999',
  'x-ratelimit-reset': '1507651200',
  'x-ratelimit-used': '1',
  'x-ratelimit-resource': 'core',
  'x-github-media-type': 'github.v3; format=json',
  'x-github-request-id': '0000:00000:0000000:0000000:00000000',
};

function issueOf({ number, title }: Issue) {
  return {
    url: `https://api.github.com/repos/${OWNER}/${REPO}/issues/${number}`,
    html_url: `https://github.com/${OWNER}/${REPO}/issues/${number}`,
    id: 1000 + number,
    node_id: 'MDA6RW50aXR5MQ==',
    number,
    title,
    user: { login: 'octokit-fixture-user-a', id: 1000, node_id: 'MDA6RW50aXR5MQ==', type: 'User', site_admin: false },
    labels: [],
    state: 'open',
    locked: false,
    assignee: null,
    assignees: [],
    milestone: null,
    comments: 42,
    created_at: '2017-10-10T16:00:00Z',
    updated_at: '2017-10-10T16:00:00Z',
    closed_at: null,
    author_association: 'MEMBER',
    body: null,
  };
}

export async function githubServer(): Promise<ProviderServer & { readonly issues: Issue[] }> {
  const issues: Issue[] = Array.from({ length: 7 }, (_, index) => ({ number: index + 1, title: `Test issue ${index + 1}` }));
  let url = '';

  function page(query: URLSearchParams): Served {
    const size = Number(query.get('per_page') ?? PER_PAGE);
    const at = Number(query.get('page') ?? 1);
    const last = Math.ceil(issues.length / size);
    // As GitHub does it: by the repository's number, which is not the path that was asked for.
    const link = (to: number, rel: string) => `<${url}/repositories/1000/issues?per_page=${size}&page=${to}>; rel="${rel}"`;
    const links = at < last ? [link(at + 1, 'next'), link(last, 'last')] : [link(1, 'first'), link(at - 1, 'prev')];
    return {
      status: 200,
      headers: { ...LIMITS, link: links.join(', ') },
      body: issues
        .toSorted((a, b) => b.number - a.number)
        .slice((at - 1) * size, at * size)
        .map(issueOf),
    };
  }

  const provider: Provider = {
    serve({ method, path, query, body }, effect) {
      const list = path === `/repos/${OWNER}/${REPO}/issues` || path === '/repositories/1000/issues';
      if (method === 'GET' && list) return page(query);
      if (method === 'POST' && list) {
        const { title } = JSON.parse(body) as { title: string };
        effect(title);
        const issue = { number: issues.length + 1, title };
        issues.push(issue);
        return {
          status: 201,
          headers: { ...LIMITS, location: `https://api.github.com/repos/${OWNER}/${REPO}/issues/${issue.number}` },
          body: issueOf(issue),
        };
      }
      if (method === 'POST' && path === '/graphql') {
        return { status: 200, headers: LIMITS, body: { data: { repository: { issues: { totalCount: issues.length } } } } };
      }
      return {
        status: 404,
        headers: LIMITS,
        body: { message: 'Not Found', documentation_url: 'https://docs.github.com/rest', status: '404' },
      };
    },
    throttle: () => ({
      status: 429,
      headers: { ...LIMITS, 'x-ratelimit-remaining': '0', 'x-ratelimit-used': '5000', 'retry-after': '60' },
      body: {
        message: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
        documentation_url: 'https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits',
      },
    }),
    fail: () => ({ status: 500, headers: LIMITS, body: { message: 'Server Error' } }),
  };
  const server = await providerServer(provider);
  url = server.url;
  return { ...server, issues };
}

export { OWNER, REPO };
