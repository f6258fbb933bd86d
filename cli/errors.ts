/** What ends a command otherwise than well: a sentence, what to do about it, and the exit code. */

/** 0 done; 1 what was asked about failed; 2 wrong usage; 3 not reachable or not configured; 130 interrupted. */
export const EXIT = { done: 0, failed: 1, usage: 2, unreachable: 3, interrupted: 130 } as const;

export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exit: number;
  /** What to do. */
  readonly remedy: string | undefined;
  /** For `--json`: the problem as the API told it. */
  readonly data: Readonly<Record<string, unknown>>;
  constructor(
    exit: number,
    message: string,
    options: { remedy?: string | undefined; data?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exit = exit;
    this.remedy = options.remedy;
    this.data = options.data ?? {};
  }
}

export const usage = (message: string, remedy?: string): CliError => new CliError(EXIT.usage, message, { remedy });
