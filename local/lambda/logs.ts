/** Where functions' output goes: a file each, so that the terminal stays readable; faults are told to a listener as well. */
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import type { FunctionError } from './environment.ts';

export type Fault = { function: string; requestId: string; errorType: string; message: string };

export type FunctionLog = { write(text: string): void; fault(error: FunctionError, requestId: string): void };

export type Logs = {
  readonly dir: string;
  of(functionName: string): FunctionLog;
  onFault(fn: (fault: Fault) => void): void;
  onOutput(fn: (functionName: string, text: string) => void): void;
  close(): Promise<void>;
};

export function openLogs(dir: string): Logs {
  mkdirSync(dir, { recursive: true });
  const files = new Map<string, WriteStream>();
  const faults: Array<(fault: Fault) => void> = [];
  const outputs: Array<(functionName: string, text: string) => void> = [];
  return {
    dir,
    of(name) {
      const file = files.get(name) ?? createWriteStream(join(dir, `${name}.log`), { flags: 'a' });
      files.set(name, file);
      const write = (text: string) => {
        if (!file.writableEnded) file.write(text);
        for (const fn of outputs) fn(name, text);
      };
      return {
        write,
        fault({ errorType, message, remoteStack }, requestId) {
          write(
            `${new Date().toISOString()} ${requestId} ${errorType}: ${message}\n${(remoteStack ?? []).map((line) => `${line}\n`).join('')}`,
          );
          for (const fn of faults) fn({ function: name, requestId, errorType, message });
        },
      };
    },
    onFault: (fn) => void faults.push(fn),
    onOutput: (fn) => void outputs.push(fn),
    async close() {
      await Promise.all([...files.values()].map((file) => new Promise<void>((resolve) => file.end(() => resolve()))));
    },
  };
}
