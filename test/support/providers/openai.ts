/**
 * The part of OpenAI's API that the tests use. Examples of replies: openai/openai-openapi, openapi.yaml (2.3.0, commit f85dbe2 of
 * 2026-08-21), createChatCompletion and createEmbedding. Headers and error of rate limits: platform.openai.com/docs/guides/rate-limits
 * and /error-codes, as of the same month.
 */
import { type Provider, providerServer, type Served } from './server.ts';

const WORDS = ['Hello', '!', ' How', ' can', ' I', ' assist', ' you', ' today', '?'];

function completion(model: string): Served {
  return {
    status: 200,
    headers: LIMITS,
    body: {
      id: 'chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT',
      object: 'chat.completion',
      created: 1741569952,
      model,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: WORDS.join(''), refusal: null, annotations: [] },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: { prompt_tokens: 19, completion_tokens: 10, total_tokens: 29 },
      service_tier: 'default',
    },
  };
}

function chunks(model: string): Served {
  const chunk = (delta: object, finish: string | null) =>
    JSON.stringify({
      id: 'chatcmpl-123',
      object: 'chat.completion.chunk',
      created: 1694268190,
      model,
      system_fingerprint: 'fp_44709d6fcb',
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    });
  return {
    status: 200,
    headers: LIMITS,
    events: [
      chunk({ role: 'assistant', content: '' }, null),
      ...WORDS.map((content) => chunk({ content }, null)),
      chunk({}, 'stop'),
      '[DONE]',
    ],
  };
}

const LIMITS = {
  'x-ratelimit-limit-requests': '60',
  'x-ratelimit-limit-tokens': '150000',
  'x-ratelimit-remaining-requests': '59',
  'x-ratelimit-remaining-tokens': '149984',
  'x-ratelimit-reset-requests': '1s',
  'x-ratelimit-reset-tokens': '6m0s',
  'x-request-id': 'req_123',
};

const provider: Provider = {
  serve({ method, path, body }, effect) {
    if (method !== 'POST') return { status: 404, body: { error: { message: 'Not found', type: 'invalid_request_error' } } };
    const { model, stream, input, messages } = JSON.parse(body) as {
      model: string;
      stream?: boolean;
      input?: string;
      messages?: Array<{ content: string }>;
    };
    // Tokens that are paid for.
    effect(`${path} ${messages?.at(-1)?.content ?? input}`);
    if (path === '/v1/chat/completions') return stream ? chunks(model) : completion(model);
    if (path === '/v1/embeddings') {
      return {
        status: 200,
        headers: LIMITS,
        body: {
          object: 'list',
          data: [{ object: 'embedding', embedding: [0.0023064255, -0.009327292, -0.0028842222], index: 0 }],
          model,
          usage: { prompt_tokens: 8, total_tokens: 8 },
        },
      };
    }
    return { status: 404, body: { error: { message: 'Not found', type: 'invalid_request_error' } } };
  },
  throttle: () => ({
    status: 429,
    headers: {
      ...LIMITS,
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '20s',
      'retry-after': '20',
      'retry-after-ms': '20000',
    },
    body: {
      error: {
        message: 'Rate limit reached for requests',
        type: 'requests',
        param: null,
        code: 'rate_limit_exceeded',
      },
    },
  }),
  fail: () => ({
    status: 500,
    body: {
      error: {
        message: 'The server had an error while processing your request. Sorry about that!',
        type: 'server_error',
        param: null,
        code: null,
      },
    },
  }),
};

/** What the whole answer says. */
export const ANSWER = WORDS.join('');

export const openaiServer = () => providerServer(provider);
