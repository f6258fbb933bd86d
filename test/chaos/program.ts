/** The code of a run: every call in its shape, each outcome caught and told. An ordinary workflow over ordinary connections. */
import {
  applied,
  bearer,
  type Connection,
  connection,
  map,
  notApplied,
  type Reconcile,
  reconcile,
  secret,
  type Workflow,
  workflow,
} from 'holdfast';
import { certificates, DOMAIN } from '../support/hostile/certificates.ts';
import { type CallPlan, DEADLINE_MS, MAX_BODY, type RunPlan } from './plan.ts';

export type Told =
  | { ok: true; status: number; call?: string; truncated: boolean }
  | { ok: false; code: string; name: string; message: string; mayHaveHappened: boolean };

export const TOKEN = 'chaos/token';
export const NAME = 'chaos';

/** `ports`: the shared port under `''`, doors of their own under their calls. */
export function program(plan: RunPlan, ports: ReadonlyMap<string, number>): Workflow {
  const common = {
    auth: bearer(secret(TOKEN)),
    maxBody: MAX_BODY,
    retry: { deadline: DEADLINE_MS },
    inFlightWhen: ({ data }: { data: unknown }) => JSON.stringify(data) === '{"in":"flight"}',
  } as const;
  const keyed = { idempotencyKey: { header: 'Idempotency-Key', ttl: '30d' } } as const;
  const shared = `http://127.0.0.1:${ports.get('')}`;
  const api = connection({ ...common, ...keyed, name: 'api', baseUrl: shared });
  const bare = connection({ ...common, name: 'bare', baseUrl: shared });
  const own = new Map<string, Connection>();
  for (const { id, safety, nature } of plan.calls) {
    if (nature.lane === 'shared') continue;
    const baseUrl = `${nature.lane === 'secure' ? 'https' : 'http'}://${id}.${DOMAIN}:${ports.get(id)}`;
    own.set(id, connection({ ...common, ...(safety === 'unsafe' ? {} : keyed), name: `own-${id}`, baseUrl }));
  }
  const asks = (id: string): Reconcile =>
    reconcile(async () => {
      const { data } = await bare.get(`/truth/${id}`);
      return (data as { happened: boolean }).happened ? applied({ status: 200, data: { call: id } }) : notApplied();
    });

  async function make(call: CallPlan): Promise<Told> {
    const { id, safety, method, asked, attempts, throttles, strict } = call;
    const through = own.get(id) ?? (safety === 'unsafe' ? bare : api);
    const options = {
      label: id,
      retry: { attempts, throttles },
      onTruncated: strict ? 'fail' : 'reply',
      onUnknown: asked === 'code' ? 'throw' : asked === 'person' ? 'pause' : asks(id),
    } as const;
    try {
      const reply =
        method === 'GET'
          ? await through.get(`/c/${id}`, options)
          : method === 'DELETE'
            ? await through.delete(`/c/${id}`, options)
            : await through[method === 'PUT' ? 'put' : method === 'PATCH' ? 'patch' : 'post'](`/c/${id}`, {
                ...options,
                json: { call: id },
                ...(safety === 'safe' ? { effects: 'safe' as const } : {}),
              });
      const data = reply.data as { call?: string } | undefined;
      return {
        ok: true,
        status: reply.status,
        truncated: reply.truncated === true,
        ...(typeof data?.call === 'string' ? { call: data.call } : {}),
      };
    } catch (thrown) {
      const error = thrown as { code?: string; name: string; message: string; detail?: { mayHaveHappened?: boolean } };
      return {
        ok: false,
        code: error.code ?? 'none',
        name: error.name,
        message: error.message,
        mayHaveHappened: error.detail?.mayHaveHappened === true,
      };
    }
  }

  async function chain(calls: readonly CallPlan[]): Promise<Told[]> {
    const told: Told[] = [];
    for (const call of calls) told.push(await make(call));
    return told;
  }

  return workflow({
    name: NAME,
    async run(): Promise<Told[]> {
      const { calls, shape } = plan;
      switch (shape) {
        case 'sequence':
          return chain(calls);
        case 'map':
          return map(calls, make, { concurrency: 3 });
        case 'branches': {
          const half = Math.ceil(calls.length / 2);
          return (await Promise.all([chain(calls.slice(0, half)), chain(calls.slice(half))])).flat();
        }
        case 'race': {
          const all = calls.map(make);
          await Promise.race(all);
          return Promise.all(all);
        }
        default:
          return Promise.all(calls.map(make));
      }
    },
  });
}

export const trusted = (): string => certificates().ca;
