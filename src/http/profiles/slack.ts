/** Slack's Web API: what fails is mostly told with a 200. */
import { byCursor } from '../paging/paging.ts';
import type { Profile } from '../profile.ts';
import { fieldsOf, headerOf, listOf, safePosts, text } from './read.ts';

const THROTTLED = new Set(['ratelimited', 'rate_limited', 'message_limit_exceeded']);
/** "It's possible some aspect of the operation succeeded before the error was raised." */
const UNCERTAIN = new Set(['internal_error', 'fatal_error', 'service_unavailable']);

/** Methods that read, although they are POSTed. */
const READING = ['*.list', '*.info', '*.history', '*.replies', '*.members', '/auth.test', '/api.test', '/search.*'];

export const slack: Profile = {
  title: 'Slack',
  source: { url: 'https://docs.slack.dev/apis/web-api', read: '2026-11-28' },
  sdk: 'new WebClient(token, { retryConfig: { retries: 0 }, rejectRateLimitedCalls: true }); it takes no fetch, so call the methods through the connection',
  routes: /* @__PURE__ */ safePosts(READING),
  successWhen({ data }) {
    const { ok, error } = fieldsOf(data);
    if (ok !== false) return true;
    if (THROTTLED.has(String(error))) return 'throttle';
    return UNCERTAIN.has(String(error)) ? 'transient' : 'permanent';
  },
  paging: /* @__PURE__ */ byCursor({ from: ({ data }) => text(fieldsOf(data, 'response_metadata').next_cursor) }),
  readError(reply) {
    const { error, needed } = fieldsOf(reply.data);
    const [first] = listOf(fieldsOf(reply.data, 'response_metadata').messages);
    return {
      message: text(first),
      code: text(error),
      param: text(needed),
      requestId: headerOf(reply, 'x-slack-req-id'),
    };
  },
};
