/** Messages as they come, made into jobs: several for one run are one job, and what can become no run is put on record. */
import { keepDeadLetter, withoutStack } from './dead-letters.ts';
import type { Message } from './dispatch.ts';
import { type ErrorData, HoldfastError, toErrorData } from './errors.ts';
import type { Clock, Observer, PayloadStore, WorkStore } from './ports.ts';
import { isTenant, keyConflict, parseStartMessage, prepareStart, TENANT_FORM } from './start.ts';
import type { Registry } from './workflow.ts';

/** A message as it came. `id` stands for a missing idempotency key. */
export type Received = { id: string; queue: 'start' | 'wake'; body: string; receiveCount: number; tenant?: string };

export type Job = { received: Received[]; message: Message; id: string };

/** The messages are done with. */
export type Done = (received: readonly Received[]) => Promise<void>;

export type Intake = {
  /** Makes a job of a message, or a dead letter. */
  admit(received: Received, jobs: Map<string, Job>, done: Done): Promise<void>;
  /** Puts them on record as dead letters with their reason; then they are done with. */
  refuse(received: readonly Received[], reason: ErrorData, done: Done): Promise<void>;
};

export function createIntake(ports: {
  store: WorkStore;
  payloads: PayloadStore;
  clock: Clock;
  observe: Observer;
  registry: Registry;
}): Intake {
  const { store, clock, observe } = ports;
  return { admit, refuse };

  async function admit(received: Received, jobs: Map<string, Job>, done: Done): Promise<void> {
    let message: Message;
    try {
      message = await parse(received, ports.registry);
    } catch (error) {
      await refuse([received], toErrorData(error, 'E_MESSAGE_MALFORMED'), done);
      return;
    }
    const id = message.kind === 'start' ? message.start.id : message.run;
    const known = jobs.get(id);
    if (!known) {
      jobs.set(id, { received: [received], message, id });
    } else if (
      known.message.kind === 'start' &&
      message.kind === 'start' &&
      known.message.start.fingerprint !== message.start.fingerprint
    ) {
      await refuse([received], keyConflict(id), done);
    } else {
      known.received.push(received);
      if (message.kind === 'start') known.message = message;
    }
  }

  async function refuse(received: readonly Received[], error: ErrorData, done: Done): Promise<void> {
    const reason = withoutStack(error);
    for (const one of received) {
      await keepDeadLetter(
        { store, payloads: ports.payloads },
        {
          id: one.id,
          body: one.body,
          reason,
          firstSeen: clock.now(),
          ...(one.tenant === undefined ? {} : { tenant: one.tenant }),
          ...namedIn(one.body),
        },
      );
      observe({ type: 'message.refused', reason });
    }
    await done(received);
  }
}

async function parse(received: Received, registry: Registry): Promise<Message> {
  if (received.queue === 'wake') {
    const body = JSON.parse(received.body) as { run?: unknown };
    // Also keeps a text that no key may be out of the read that the whole batch shares.
    if (typeof body.run !== 'string' || !/^run_\w{1,64}$/.test(body.run))
      throw new HoldfastError('E_MESSAGE_MALFORMED', 'a wake message must be { "run": "run_…" }', { detail: { pointer: '/run' } });
    return { kind: 'wake', run: body.run };
  }
  const request = parseStartMessage(received.body);
  if (request.tenant === undefined && received.tenant !== undefined) {
    if (!isTenant(received.tenant)) {
      throw new HoldfastError(
        'E_MESSAGE_MALFORMED',
        `the MessageGroupId ${JSON.stringify(received.tenant)} cannot be a tenant, which has ${TENANT_FORM}: put "tenant" into the message`,
        { detail: { pointer: '/tenant' } },
      );
    }
    request.tenant = received.tenant;
  }
  return { kind: 'start', start: await prepareStart(registry, request, received.id) };
}

/** What a refused message says of itself, for whoever looks for it. */
function namedIn(body: string): { workflow?: string; tenant?: string } {
  try {
    const { workflow, tenant } = JSON.parse(body) as { workflow?: unknown; tenant?: unknown };
    return {
      ...(typeof workflow === 'string' ? { workflow } : {}),
      ...(typeof tenant === 'string' && isTenant(tenant) ? { tenant } : {}),
    };
  } catch {
    return {};
  }
}
