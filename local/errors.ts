/** The errors of the embedded cloud: a code, and a sentence that says what to do. */
export type LocalErrorCode =
  | 'E_PORT_TAKEN'
  | 'E_TEMPLATE'
  | 'E_DATA_OUTDATED'
  | 'E_DATA_IN_USE'
  | 'E_AWS_CALL'
  | 'E_AWS_SERVER'
  | 'E_FUNCTION_START'
  | 'E_SYNTH'
  | 'E_OPTION';

export class LocalError extends Error {
  readonly code: LocalErrorCode;
  constructor(code: LocalErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LocalError';
    this.code = code;
  }
}

/** What a failed `listen` means to the person who chose the port. */
export function portError(error: NodeJS.ErrnoException, port: number, flag: string, variable: string): Error {
  if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') return error;
  const why = error.code === 'EADDRINUSE' ? 'is taken by another process' : 'may not be used by this user';
  return new LocalError('E_PORT_TAKEN', `port ${port} ${why}: choose another with ${flag} or ${variable}`, { cause: error });
}
