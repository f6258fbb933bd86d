/** What an environment's process and the pool say to each other. Events and results travel as JSON, as they do to a real function. */
export type BootstrapOptions = { entry: string; exportName: string; functionName: string; functionArn: string; memoryMb: number };

export type ToEnvironment = { requestId: string; event: string; deadline: number };

export type FunctionFault = { errorType: string; errorMessage: string; stack: string[] };

export type FromEnvironment =
  | { type: 'ready' }
  | { type: 'result'; requestId: string; result: string }
  | { type: 'error'; requestId: string; error: FunctionFault }
  /** The process ends with this. */
  | { type: 'crash'; error: FunctionFault };
