/** Faults that a stranger's review found, each with the test that failed. */
import { describe, expect, it } from 'vitest';
import { parseStartMessage } from '../../src/engine/start.ts';
import { sweep } from '../../src/engine/sweep.ts';
import { classify } from '../../src/http/classify.ts';
import { requestPath } from '../../src/http/path.ts';
import { memoryRunStore, memoryWakeQueue, virtualClock } from '../../src/testing/index.ts';
import { run } from '../support/contracts/records.ts';

describe('a path', () => {
  it.each(['/accounts/42/cards/.. ', '/accounts/42/cards/..\u0001', '/accounts/42/cards/%2e. '])(
    '%j does not leave its segment',
    (path) => {
      expect(() => requestPath(path, undefined, 'repeat', 'DELETE bank')).toThrow('"." or ".."');
    },
  );

  it('keeps a blank at its end as a blank', () => {
    expect(requestPath('/notes/a ', undefined, 'repeat', 'GET crm')).toBe('/notes/a%20');
  });
});

describe('x-should-retry: true', () => {
  it('does not send again what may have happened', () => {
    expect(classify({ phase: 'answered', status: 504 }, 'unsafe', { shouldRetry: true }).act).toBe('unknown');
    expect(classify({ phase: 'answered', status: 504 }, 'keyed', { shouldRetry: true }).act).toBe('retry');
  });
});

describe('a start message', () => {
  it('loses a traceparent that is none, and keeps one', () => {
    const parent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    expect(parseStartMessage('{"workflow":"w","traceparent":"\\uffff"}')).toEqual({ workflow: 'w' });
    expect(parseStartMessage(JSON.stringify({ workflow: 'w', traceparent: parent }))).toEqual({ workflow: 'w', traceparent: parent });
  });
});

describe('the sweeper', () => {
  it('moves the others when the queue refuses one run, and tells of it at the end', async () => {
    const clock = virtualClock();
    const now = clock.now();
    const store = memoryRunStore();
    await store.create(run('run_bad', { createdAt: now, due: now - 2 }));
    await store.create(run('run_good', { createdAt: now, due: now - 1 }));
    const queue = memoryWakeQueue({ clock });
    const wakes = {
      async wake(messages: Parameters<typeof queue.wake>[0]) {
        if (messages.some((message) => message.run === 'run_bad')) throw new Error('InvalidMessageContents');
        await queue.wake(messages);
      },
    };
    await expect(sweep({ store, wakes, clock })).rejects.toThrow('InvalidMessageContents');
    expect(queue.sent.map((message) => message.run)).toEqual(['run_good']);
    // And the one that was refused does not come first again at once.
    expect(await store.due(now, 10)).toEqual([]);
  });
});
