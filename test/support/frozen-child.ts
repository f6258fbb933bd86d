/**
 * A process that makes calls, is frozen by its parent as Lambda freezes a worker, and goes on: test/integration/http-freeze.test.ts.
 * Plain calls through one transport. Told `warm`, it leaves idle sockets behind; told `go`, it waits to be frozen and then makes its calls.
 */
import { connection } from '../../src/http/connection.ts';

export type Order = { type: 'warm'; url: string; sockets: number } | { type: 'go'; url: string; calls: number };
export type News = { type: 'warm' } | { type: 'spinning' } | { type: 'held' } | { type: 'done'; failures: string[]; outcomes: number };

/** The clock jumps by more than this over a freeze, and never otherwise. */
const JUMP_MS = 3_000;
const METHODS = ['GET', 'PUT', 'POST', 'PATCH'] as const;
const tell = (news: News) => process.send?.(news);

function api(url: string) {
  return connection({
    name: 'frozen',
    baseUrl: url,
    idempotencyKey: { header: 'Idempotency-Key' },
    // No attempt to spare: what a thaw breaks is lost.
    retry: { attempts: 1 },
    routes: [{ method: 'PATCH', path: '*', effects: 'unsafe' }],
  });
}
let kept: ReturnType<typeof api> | undefined;

async function obey(order: Order): Promise<void> {
  kept ??= api(order.url);
  const crm = kept;
  if (order.type === 'warm') {
    await Promise.all(Array.from({ length: order.sockets }, (_, n) => crm.get(`/warm/${n}`)));
    // One is under way while it is frozen: its answer is what is read first after the thaw.
    void crm.get('/held').then(
      () => tell({ type: 'held' }),
      (error: Error) => tell({ type: 'done', failures: [`held: ${error.message}`], outcomes: 0 }),
    );
    tell({ type: 'warm' });
    return;
  }
  let last = Date.now();
  await new Promise<void>((told) => process.send?.({ type: 'spinning' } satisfies News, () => told()));
  // Frozen in the middle of code: its calls go out before the event loop hears of any socket that was closed meanwhile.
  for (let now = last; now - last < JUMP_MS; now = Date.now()) last = now;
  const outcomes = await Promise.allSettled(
    Array.from({ length: order.calls }, (_, n) => {
      const method = METHODS[n % METHODS.length] as string;
      return crm.request(method, `/call/${n}`, method === 'GET' ? {} : { json: { n } });
    }),
  );
  const failures = outcomes.flatMap((one) => (one.status === 'rejected' ? [(one.reason as Error).message] : []));
  tell({ type: 'done', failures, outcomes: outcomes.length });
}

process.on('message', (order: Order) => void obey(order));
