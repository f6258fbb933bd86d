/** GitHub's REST and GraphQL APIs. */
import { byLink } from '../paging/paging.ts';
import type { Profile } from '../profile.ts';
import { fieldsOf, headerOf, listOf, text } from './read.ts';

const MINUTE_MS = 60_000;

export const github: Profile = {
  title: 'GitHub',
  source: { url: 'https://docs.github.com/en/rest/using-the-rest-api', read: '2026-11-28' },
  sdk: 'new Octokit({ retry: { enabled: false }, throttle: { enabled: false }, request: { fetch: github.fetch } })',
  headers: { accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28' },
  paging: /* @__PURE__ */ byLink(),
  graphql: '/graphql',
  // A secondary limit: 403 or 429, without headers "wait for at least one minute".
  hint: ({ status, data }) =>
    (status === 403 || status === 429) && /secondary rate limit/i.test(messageOf(data) ?? '') ? MINUTE_MS : undefined,
  readError(reply) {
    const [first] = listOf(fieldsOf(reply.data).errors).map((one) => fieldsOf(one));
    return {
      message: messageOf(reply.data),
      code: text(first?.code),
      param: text(first?.field),
      requestId: headerOf(reply, 'x-github-request-id'),
    };
  },
};

const messageOf = (data: unknown): string | undefined => text(fieldsOf(data).message);
