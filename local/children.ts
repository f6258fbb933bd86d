/** What child processes need that Node leaves to its users. */
import type { ChildProcess } from 'node:child_process';

/** Calls `fn` when the process has ended and everything that it had said over IPC was heard: `exit` may overtake the last messages. */
export function onEnd(child: ChildProcess, event: 'exit' | 'close', fn: (code: number | null, signal: string | null) => void): void {
  child.once(event, (code: number | null, signal: string | null) => {
    if (child.connected) child.once('disconnect', () => fn(code, signal));
    else fn(code, signal);
  });
}
