/**
 * One request on the wire and the event it ends in. undici calls it back; it counts bytes, keeps the time limits with a single
 * timer (no AbortSignal per request), and knows whether a byte of the request may have left. What comes of the body goes to a sink
 * as it comes, and the socket waits while the sink is busy. Decides nothing.
 */
import type { Dispatcher } from 'undici';
import type { Clock, Timer } from '../engine/ports.ts';
import { BadCoding } from './bodies/decode.ts';
import { type Receiver, receive } from './bodies/receive.ts';
import type { Kept, OpenSink } from './bodies/sink.ts';
import type { CallEvent } from './classify.ts';
import { keptHeaders } from './headers.ts';
import type { Limits } from './settings.ts';

/** Milliseconds; only of what happened. `dns`, `connect`, `tls` of the opening of a socket, the others from the asking for one on. */
export type Timings = Opening & { total: number; firstByte?: number };
export type Opening = { dns?: number; connect?: number; tls?: number };

/** A redirect that was followed. `to`: without its query. */
export type Hop = { status: number; to: string };

type Measured = {
  readonly timings: Timings;
  readonly reused: boolean;
  readonly bytes: number;
  readonly hops?: Hop[];
  /** Why a redirect that was to be followed was not. */
  readonly stopped?: string;
};
/** `stored`: the body is in the payload store, and `body` is empty. */
export type Answer = { phase: 'answered'; status: number; headers: Record<string, string>; truncated: boolean } & {
  -readonly [Field in keyof Kept]: Kept[Field];
} & Redirected;
/** Where an answer came from, if not from where it was asked for. `stranger`: another origin has had a part in it. */
type Redirected = { url?: string; readonly stranger?: true };
export type WireEvent = Measured &
  (
    | Answer
    | (Extract<CallEvent, { phase: 'not-sent' }> & { message: string })
    | (Extract<CallEvent, { phase: 'ambiguous' }> & { message: string; answering: boolean })
    | { phase: 'deferred'; message: string }
  );
type Unmeasured<T> = T extends unknown ? Omit<T, keyof Measured> : never;

/** What a socket has been used for; one for each client of a pool. */
export type SocketState = { used: boolean; opening?: Opening };

/** How often a running exchange is looked at, ms, and how long a body may take before it must keep to a rate. */
const LOOK_MS = 5_000;

/**
 * So much of a body may stand in line before the socket is paused. More than one read of a socket gives: each resuming reads all that
 * has come, and puts back what we do not take, so that pausing more often would let what is put back grow without end.
 */
const LINE_BYTES = 32 * 1024;

export type ExchangeOptions = {
  readonly limits: Limits;
  readonly clock: Clock;
  readonly sink: OpenSink;
  /** The request's body is streamed: the time until the answer begins counts from its last piece. */
  readonly uploads: boolean;
};

export class Exchange implements Dispatcher.DispatchHandler {
  socket: SocketState | undefined;
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #began: number;
  readonly #resolve: (event: WireEvent) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #timer: Timer;
  #reused = false;
  #settled = false;
  /** The body is complete, or cut by us: what the socket does from here on does not matter. */
  #received = false;
  /** A byte of an answer has come, be it of an interim one. */
  #answering = false;
  #status = 0;
  #headers: Record<string, string> = {};
  #answeredAt: number | undefined;
  #lastByteAt = 0;
  /** Bytes of the body, as they came. */
  #size = 0;
  readonly #sink: OpenSink;
  #body: Receiver | undefined;
  #patient = false;
  /** What came is being taken, and what came since stands in line, so many bytes. */
  #line: Promise<void> | undefined;
  #inLine = 0;
  /** Since when the socket waits for us. */
  #waitsSince: number | undefined;
  /** How long the socket waited for us, which is not the server's slowness. */
  #waited = 0;
  #sentAt: number;
  readonly #uploads: boolean;

  constructor({ limits, clock, sink, uploads }: ExchangeOptions, resolve: (event: WireEvent) => void) {
    this.#limits = limits;
    this.#sink = sink;
    this.#uploads = uploads;
    this.#clock = clock;
    this.#began = this.#sentAt = clock.now();
    this.#resolve = resolve;
    this.#timer = clock.timer(Math.min(LOOK_MS, limits.total, limits.headers), this.#look);
  }

  /** Ends it from outside: deferred if nothing was sent, otherwise nobody knows. */
  abort(message: string): void {
    if (this.#controller) this.#fail({ phase: 'ambiguous', why: 'broken', message, answering: this.#answering });
    else this.#settle({ phase: 'deferred', message });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // It was given up while it waited for a socket: undici writes nothing after this.
    if (this.#settled) {
      controller.abort(new Error('given up before it was sent'));
      return;
    }
    this.#controller = controller;
    if (this.socket) {
      this.#reused = this.socket.used;
      this.socket.used = true;
    }
  }

  onBodySent(): void {
    if (this.#uploads) this.#sentAt = this.#clock.now();
  }

  /** undici's word for the first byte of an answer, of which its types do not know. */
  onResponseStarted(): void {
    this.#answering = true;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = keptHeaders(headers);
    this.#answeredAt = this.#lastByteAt = this.#clock.now();
    // A sink may have somebody to tell, before the first byte of a body.
    const sink = this.#sink({ status, headers: this.#headers });
    this.#patient = sink.patient === true;
    this.#body = receive(this.#headers['content-encoding'], this.#limits.maxBody, sink);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    // undici flushes its parser with nothing whenever it resumes: pausing it then would never end.
    if (this.#received || this.#settled || chunk.length === 0) return;
    this.#lastByteAt = this.#clock.now();
    this.#size += chunk.length;
    const body = this.#body as Receiver;
    // A socket that the server has closed is read to its end, paused or not.
    const busy = this.#line === undefined ? body.write(chunk) : this.#line.then(() => body.write(chunk));
    if (busy !== undefined) this.#wait(controller, busy, chunk.length);
    else if (body.cut) this.#cut();
  }

  onResponseEnd(): void {
    if (this.#received || this.#settled) return;
    this.#received = true;
    if (this.#line === undefined) this.#finish();
    else void this.#line.then(() => this.#finish());
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error & { code?: string }): void {
    if (!this.#received) this.#settle(this.#controller ? broken(error, this.#answering, this.#status) : neverSent(error));
  }

  readonly #look = (): void => {
    if (this.#settled) return;
    const now = this.#clock.now();
    const { total, headers, idle, minRate } = this.#limits;
    const elapsed = now - this.#began;
    let late = elapsed >= total ? `not done within ${total} ms` : undefined;
    let next = total - elapsed;
    if (this.#answeredAt === undefined) {
      const awaited = now - this.#sentAt;
      if (awaited >= headers) late ??= `no answer within ${headers} ms`;
      next = Math.min(next, headers - awaited);
    } else if (!this.#received && this.#waitsSince === undefined) {
      const silent = now - this.#lastByteAt;
      if (silent >= idle) late ??= `nothing came for ${idle} ms`;
      const receiving = now - this.#answeredAt - this.#waited;
      if (!this.#patient && receiving > LOOK_MS && this.#size < (minRate * receiving) / 1_000)
        late ??= `the body came slower than ${minRate} bytes/s`;
      next = Math.min(next, idle - silent);
      if (receiving <= LOOK_MS) next = Math.min(next, LOOK_MS + 1 - receiving);
    }
    if (late !== undefined) this.#timeout(late);
    else this.#timer = this.#clock.timer(Math.max(1, Math.min(LOOK_MS, next)), this.#look);
  };

  #timeout(message: string): void {
    if (this.#controller) this.#fail({ phase: 'ambiguous', why: 'timeout', message, answering: this.#answering });
    else this.#settle({ phase: 'not-sent', why: 'unreachable', message: `${message}: no connection` });
  }

  #fail(event: Unmeasured<WireEvent>): void {
    this.#settle(event);
    this.#controller?.abort(new Error('given up'));
  }

  #wait(controller: Dispatcher.DispatchController, busy: Promise<void>, bytes: number): void {
    this.#inLine += bytes;
    if (this.#inLine > LINE_BYTES && this.#waitsSince === undefined) {
      this.#waitsSince = this.#clock.now();
      controller.pause();
    }
    const line: Promise<void> = busy.then(
      () => {
        this.#inLine -= bytes;
        if (this.#line !== line) return;
        this.#line = undefined;
        if (this.#settled || this.#received) return;
        if (this.#body?.cut) this.#cut();
        else this.#resume(controller);
      },
      (error: unknown) => this.#lose(error),
    );
    this.#line = line;
  }

  #resume(controller: Dispatcher.DispatchController): void {
    if (this.#waitsSince === undefined) return;
    this.#lastByteAt = this.#clock.now();
    this.#waited += this.#lastByteAt - this.#waitsSince;
    this.#waitsSince = undefined;
    controller.resume();
  }

  /** Enough of the body has come: the rest is not read. */
  #cut(): void {
    this.#received = true;
    if (this.#headers['content-encoding'] === undefined) this.#size = Math.min(this.#size, this.#limits.maxBody);
    this.#finish();
    this.#controller?.abort(new Error('the body is over the cap'));
  }

  #finish(): void {
    if (this.#settled) return;
    const body = this.#body as Receiver;
    const answer = (kept: Kept): void =>
      this.#settle({ phase: 'answered', status: this.#status, headers: this.#headers, ...kept, truncated: body.cut });
    const kept = body.end();
    if (kept instanceof Promise) kept.then(answer, (error: unknown) => this.#lose(error));
    else answer(kept);
  }

  /** The body cannot be read, or it was received and cannot be kept: then nobody has its answer. */
  #lose(error: unknown): void {
    const [why, message] =
      error instanceof BadCoding
        ? (['invalid-http', error.message] as const)
        : ([
            'broken',
            `the answer came, but its body could not be stored (${error instanceof Error ? error.name : String(error)})`,
          ] as const);
    this.#fail({ phase: 'ambiguous', why, message, answering: true });
  }

  #settle(event: Unmeasured<WireEvent>): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#timer.cancel();
    const timings: Timings = { ...(this.#reused ? {} : this.socket?.opening), total: this.#clock.now() - this.#began };
    if (this.#answeredAt !== undefined) timings.firstByte = this.#answeredAt - this.#began;
    const bytes = this.#size;
    this.#body?.drop();
    this.#resolve({ ...event, timings, reused: this.#reused, bytes } as WireEvent);
  }
}

const CERTIFICATE =
  /^(ERR_TLS_CERT|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERROR_IN_C|CRL_|INVALID_(CA|PURPOSE)|PATH_LENGTH|HOSTNAME_MISMATCH)/;

function neverSent(error: Error & { code?: string }): Unmeasured<WireEvent> {
  const code = error.code ?? '';
  const event = (why: Extract<CallEvent, { phase: 'not-sent' }>['why'], message: string) => ({ phase: 'not-sent', why, message }) as const;
  if (code === 'HOLDFAST_GUARD') return event('guard', error.message);
  if (code === 'ENOTFOUND') return event('name-not-found', 'the name was not found');
  if (CERTIFICATE.test(code)) return event('certificate', `the certificate was refused (${code})`);
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED' || code === 'ERR_INVALID_URL')
    return event('invalid-request', error.message);
  // System errors name the address, which is nobody's business: the code says enough.
  return event('unreachable', `no connection (${code === '' ? error.name : code})`);
}

function broken(error: Error & { code?: string }, answering: boolean, status: number): Unmeasured<WireEvent> {
  const code = error.code ?? error.name;
  // An end in the middle is a broken connection like any other, although the parser is who notices.
  const invalid =
    (error.name === 'HTTPParserError' && !/eof/i.test(error.message)) ||
    code === 'UND_ERR_HEADERS_OVERFLOW' ||
    // With a head that gives two lengths, before there is a status; otherwise the body has ended too early.
    (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' && status === 0);
  return {
    phase: 'ambiguous',
    why: invalid ? 'invalid-http' : 'broken',
    message: invalid ? `the answer is not valid HTTP (${code})` : `the connection broke (${code})`,
    answering,
  };
}
