/** What the AWS server process and the process that started it say to each other over IPC. */
export type ServerOptions = { port: number; data?: string };

export type FromServer =
  | { type: 'listening'; port: number }
  | { type: 'failed'; code: string; message: string }
  /** In these queues a message has just become visible. */
  | { type: 'visible'; queues: string[] };

export type ToServer = { type: 'stop' };
