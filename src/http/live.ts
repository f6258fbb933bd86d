/**
 * A reply that user code is given while it comes: server-sent events, by `fetch`. Owns what user code was given of it, which is what
 * the journal keeps. Loaded by the first attempt of a `fetch`.
 */
import { outsideRun } from '../engine/context.ts';
import { type ErrorData, toErrorData } from '../engine/errors.ts';
import type { AttemptEnv, Live, LiveReply, Verdict } from '../engine/operation.ts';
import { pieces } from './bodies/pieces.ts';
import { type Head, memorySink, type OpenSink } from './bodies/sink.ts';
import type { Call } from './call.ts';
import { reviveCallError } from './errors.ts';
import type { Answer, WireEvent } from './exchange.ts';
import { storePieces } from './reply.ts';
import { BODILESS } from './response.ts';
import type { HttpRuntime } from './runtime.ts';
import { scrub } from './secrecy/redact.ts';
import { LONGEST_SPELLING } from './secrecy/spellings.ts';

type Sent = {
  readonly call: Call;
  readonly http: HttpRuntime;
  readonly secrets: readonly string[];
  readonly env: AttemptEnv;
  /** Where the body of a reply goes that is not given as it comes. */
  readonly keep: OpenSink;
  readonly send: (how: { sink: OpenSink; signal: AbortSignal }) => Promise<WireEvent>;
  /** What an event comes to after which nothing is sent again. `brokenOff`: by us. */
  readonly conclusion: (event: WireEvent, brokenOff: boolean) => Promise<Verdict>;
};

/** The event that a sending ends in; or, if a reply begins that user code is given while it comes, its beginning. */
export async function sendLive({ call, http, secrets, env, keep, send, conclusion }: Sent): Promise<WireEvent | Live> {
  const stopped = new AbortController();
  const live = coming({ call, http, secrets, keep, stop: () => stopped.abort() });
  const sent = send({ sink: live.sink, signal: AbortSignal.any([env.signal, stopped.signal]) });
  const first = await Promise.race([sent, live.begun]);
  if ('phase' in first) return first;
  void sent.then(async (event) => {
    // A function of the user's that throws must not leave the reply open for ever.
    const fault = (thrown: unknown): Verdict => ({ type: 'fail', error: toErrorData(thrown, 'E_INTERNAL') });
    await live.over(event, await conclusion(event, stopped.signal.aborted).catch(fault));
  });
  return { type: 'live', reply: first };
}

type Options = {
  readonly call: Call;
  readonly http: HttpRuntime;
  readonly secrets: readonly string[];
  readonly keep: OpenSink;
  /** Gives the exchange up. */
  readonly stop: () => void;
};

type Coming = {
  /** For the exchange. */
  readonly sink: OpenSink;
  /** Resolves when a reply begins that user code is given as it comes. Never for others. */
  readonly begun: Promise<LiveReply>;
  /** The exchange is over. `verdict`: what it comes to if user code has seen nothing of it. */
  over(event: WireEvent, verdict: Verdict): Promise<void>;
};

function coming({ call, http, secrets, keep, stop }: Options): Coming {
  const given: Buffer[] = [];
  /** Not given yet: the beginning of a line, in which a secret may stand. */
  let held: Buffer = Buffer.alloc(0);
  let work: Promise<void> = Promise.resolve();
  let head: Head | undefined;
  let muted = false;
  let ended: { whole: Extract<Verdict, { type: 'done' }>; instead: Verdict; error?: ErrorData } | undefined;
  const hear: Array<(whole: Extract<Verdict, { type: 'done' }>, instead: Verdict) => void> = [];
  let begin: (reply: LiveReply) => void = () => {};
  const begun = new Promise<LiveReply>((resolve) => {
    begin = resolve;
  });
  // Code of a run that is no longer here has nothing to say any more.
  const body = pieces(() => outsideRun(() => muted || cut()));

  function give(chunk: Buffer): void {
    if (chunk.length === 0 || muted || ended) return;
    given.push(chunk);
    body.push(chunk);
  }

  /** Where secrets were sent, lines are given as a whole, and without them. */
  async function giveScrubbed(chunk: Buffer, last?: { readonly truncated: boolean }): Promise<void> {
    const all = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    // Before it is cut: what stands across the cut would be found in neither part. What is not all there yet is within what is held.
    const seen: Answer = { phase: 'answered', status: 0, headers: {}, body: all, truncated: last?.truncated === true };
    await scrub(seen, secrets, http);
    const { body: clean } = seen;
    const upTo = last ? clean.length : Math.max(ofOneLine ? clean.lastIndexOf(0x0a) + 1 : 0, clean.length - longest);
    held = clean.subarray(upTo);
    give(clean.subarray(0, upTo));
  }
  /** A key in PEM is not. */
  const ofOneLine = !secrets.some((secret) => secret.includes('\n'));
  const longest = Math.max(0, ...secrets.map(({ length }) => length)) * LONGEST_SPELLING;

  async function open(first: Head): Promise<void> {
    const answer: Answer = {
      phase: 'answered',
      status: first.status,
      headers: { ...first.headers },
      body: Buffer.alloc(0),
      truncated: false,
    };
    await scrub(answer, secrets, http);
    head = { status: first.status, headers: answer.headers };
    if (call.live) call.live.body = body.stream;
    begin(reply(head));
  }

  function reply({ status, headers }: Head): LiveReply {
    return {
      head: JSON.stringify({ status, headers, live: true }),
      onEnd(fn) {
        if (ended) fn(ended.whole, ended.instead);
        else hear.push(fn);
      },
      release: () => body.end(ended?.error && reviveCallError(ended.error, undefined)),
      cut,
      mute() {
        muted = true;
      },
    };
  }

  function end(verdict: Verdict | undefined, error?: ErrorData): void {
    if (ended || !head) return;
    const record = verdict?.record === undefined ? {} : { record: verdict.record };
    const whole = { type: 'done' as const, value: storePieces(head, given, error), ...record };
    ended = { whole, instead: verdict ?? whole, ...(error === undefined ? {} : { error }) };
    for (const fn of hear) fn(whole, ended.instead);
  }

  function cut(error?: ErrorData): void {
    end(undefined, error);
    stop();
  }

  return {
    begun,
    sink(first) {
      if (!streams(first, call)) return keep(first);
      const inner = memorySink();
      work = open(first);
      return {
        patient: true,
        write(chunk) {
          void inner.write(chunk);
          if (secrets.length === 0) {
            give(chunk);
            return undefined;
          }
          work = work.then(() => giveScrubbed(chunk));
          return work;
        },
        end: (cut) => inner.end(cut),
      };
    },
    async over(event, verdict) {
      await work;
      if (secrets.length > 0 && event.phase === 'answered') await giveScrubbed(Buffer.alloc(0), event);
      end(verdict, brokenBy(event, call));
    },
  };
}

const EVENTS = /^\s*text\/event-stream\s*(?:;|$)/i;

/** What is judged by its body cannot be given before that has come, nor can what is sealed as a whole. */
function streams({ status, headers }: Head, call: Call): boolean {
  if (call.settings.encrypt !== undefined || BODILESS.has(status)) return false;
  if (status < 200 || status > 299 || call.core.judge.successWhen !== undefined || call.redirects === 'follow') return false;
  return call.settings.streaming ?? EVENTS.test(headers['content-type'] ?? '');
}

function brokenBy(event: WireEvent, call: Call): ErrorData | undefined {
  const error = (code: string, name: string, what: string): ErrorData => ({
    code,
    name,
    message: `${call.label}: ${what}`,
    detail: {
      connection: call.core.name,
      account: call.core.account,
      ...(call.effect === 'safe' ? {} : { mayHaveHappened: true }),
    },
  });
  if (event.phase === 'answered') {
    const { maxBody } = call.settings.limits;
    return event.truncated ? error('E_CALL_FAILED', 'CallError', `the body of the answer is over maxBody (${maxBody} bytes)`) : undefined;
  }
  if (call.signal?.aborted) return error('E_ABORTED', 'AbortError', 'aborted');
  return error('E_CALL_FAILED', 'CallError', `the answer broke off: ${event.message}`);
}
