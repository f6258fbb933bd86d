/** What an environment's thread and the pool say to each other. Events and results travel as JSON, as they do to a real function. */
export type BootstrapOptions = {
  entry: string;
  exportName: string;
  functionName: string;
  functionArn: string;
  memoryMb: number;
  timeoutMs: number;
};

export type ToEnvironment = { type: 'invoke'; requestId: string; event: string; deadline: number };

export type FunctionFault = { errorType: string; errorMessage: string; stack: string[] };

export type FromEnvironment =
  | { type: 'ready' }
  | { type: 'init-error'; error: FunctionFault }
  | { type: 'result'; requestId: string; result: string }
  | { type: 'error'; requestId: string; error: FunctionFault };
