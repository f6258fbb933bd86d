/** OpenAI's API, and those that are made like it. */
import { byCursor } from '../paging/paging.ts';
import type { Profile } from '../profile.ts';
import { fieldsOf, headerOf, safePosts, text } from './read.ts';

/** A 429 that no waiting ends: a person must pay. */
const EXHAUSTED = new Set(['insufficient_quota', 'credit_balance_exhausted', 'billing_hard_limit_reached']);

/** Asking again costs money and changes nothing. What is kept there (`store`, files, batches) is not among them. */
const ASKING = ['/chat/completions', '/responses', '/embeddings', '/moderations', '/completions', '/images/generations', '/audio/*'];

export const openai: Profile = {
  title: 'OpenAI',
  source: { url: 'https://platform.openai.com/docs/guides/error-codes', read: '2026-11-28' },
  sdk: 'new OpenAI({ apiKey, maxRetries: 0, fetch: openai.fetch })',
  // A model that reasons says nothing for minutes. A worker must be allowed to run for longer: see its stage's `worker.timeout`.
  timeout: { total: '10m', headers: '10m', idle: '120s', minRate: 0 },
  routes: /* @__PURE__ */ safePosts(ASKING, ['', '/v1']),
  shouldRetry: ({ status, data }) => (status === 429 && isExhausted(fieldsOf(data, 'error')) ? false : undefined),
  paging: /* @__PURE__ */ byCursor({
    param: 'after',
    from({ data }) {
      const { has_more: more, data: items, last_id: last } = fieldsOf(data);
      if (more !== true) return undefined;
      return text(last) ?? (Array.isArray(items) ? text(fieldsOf(items.at(-1)).id) : undefined);
    },
  }),
  readError(reply) {
    const error = fieldsOf(reply.data, 'error');
    return {
      message: text(error.message),
      code: text(error.code),
      type: text(error.type),
      param: text(error.param),
      requestId: headerOf(reply, 'x-request-id'),
    };
  },
};

// The code is null in some of them; the type then has the word.
function isExhausted({ code, type }: { readonly code?: unknown; readonly type?: unknown }): boolean {
  return EXHAUSTED.has(String(code)) || EXHAUSTED.has(String(type));
}
