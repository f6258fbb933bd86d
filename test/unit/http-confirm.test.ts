/** The last look before a sending, when nobody waits for it any more. */
import { expect, it } from 'vitest';
import type { Permit } from '../../src/engine/admission-ports.ts';
import type { AttemptEnv } from '../../src/engine/operation.ts';
import { confirmed } from '../../src/http/admit.ts';
import type { Memory } from '../../src/http/attempt.ts';
import type { Call } from '../../src/http/call.ts';

type Refusal = Awaited<ReturnType<Permit['confirm']>>;

it('that comes too late takes nothing away from the attempt that came after it, which still tells how it went', async () => {
  let answer: (refusal: Refusal) => void = () => {};
  const permit = (confirm: Permit['confirm']): Permit => ({ isProbe: false, place: undefined, confirm, report() {}, drop() {} });
  const slow = permit(
    () =>
      new Promise<Refusal>((resolve) => {
        answer = resolve;
      }),
  );
  const next = permit(() => undefined);
  const memory = { permit: slow } as unknown as Memory;
  const call = { effect: 'safe', label: 'GET crm /', core: { name: 'crm' }, settings: { retry: { deadline: 60_000 } } } as unknown as Call;
  const looking = confirmed(call, memory, { attempt: 1, issuedAt: 0 } as unknown as AttemptEnv);
  // Its attempt has run out of time meanwhile, and another was permitted.
  memory.permit = next;
  answer({ type: 'later', at: 1_000, why: 'unreachable' });
  expect(await looking).toMatchObject({ type: 'again', counts: 'nothing', why: 'unreachable' });
  expect(memory.permit).toBe(next);
});
