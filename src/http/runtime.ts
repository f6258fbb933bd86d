/**
 * What calls need of the process they are in: sockets, secrets, the deployment's key. A worker hands it to the engine as the
 * service `http`; plain use outside a worker makes one for itself when it first needs it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { Admission } from '../engine/admission-ports.ts';
import type { CredentialStore } from '../engine/credential-ports.ts';
import { HoldfastError } from '../engine/errors.ts';
import { type Entry, isValued } from '../engine/journal.ts';
import type { AttemptEnv } from '../engine/operation.ts';
import type { Clock, Entropy, SecretSource } from '../engine/ports.ts';
import { deploymentKey as ofSecrets } from './auth/deployment-key.ts';
import { type Rooms, rooms } from './bodies/rooms.ts';
import { plainClock, plainEntropy, plainSecrets } from './plain-ports.ts';
import { seal, unseal } from './secrecy/seal.ts';
import { mayBeSealed } from './secrecy/vault.ts';
import type { CallTracer } from './trace.ts';
import { type Transport, type TransportOptions, transport } from './transport.ts';

export type HttpRuntime = {
  readonly transport: Transport;
  readonly secrets: SecretSource;
  /** For calls made without a run; those of a run have the engine's. */
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** base64url(HMAC-SHA256(deployment key, material)). */
  sign(material: string): Promise<string>;
  /** `text` encrypted for that purpose: seal.ts. */
  seal(purpose: string, text: string): Promise<string>;
  /** Before a run goes on from this journal: the deployment key is at hand where something of it is sealed. */
  ready(journal: readonly Entry[]): Promise<void>;
  /** Throws `E_SEALED`. */
  unseal(purpose: string, sealed: string): Promise<string>;
  /** Credentials of accounts, and tokens that were got. */
  credentials(): Promise<CredentialStore>;
  /** For the pieces of all bodies that are too large for memory. */
  readonly rooms: Rooms;
  /** Asked before every attempt. Absent: nobody is, and each call goes when it likes. */
  readonly admission?: Admission | undefined;
  /** Makes spans of attempts. */
  readonly tracer?: CallTracer | undefined;
  /** The run whose trace calls made without a run belong to: those of a reconciler. */
  readonly serves?: NonNullable<AttemptEnv['run']>;
};

export type HttpRuntimeOptions = TransportOptions & {
  readonly secrets: SecretSource;
  readonly entropy?: Entropy;
  /** What idempotency keys are derived with. They change when it changes: it must outlive deployments. Default: the secret `holdfast/deployment-key`. */
  readonly deploymentKey?: () => Promise<string>;
  /** Asked for with the first call that needs it. Default: in memory, for this process alone. */
  readonly credentials?: () => Promise<CredentialStore>;
  readonly tracer?: CallTracer | undefined;
  /** What the fleet knows of each API, and lets through. Default: none, so that no limit of a connection is kept. */
  readonly admission?: Admission | undefined;
};

export function httpRuntime(options: HttpRuntimeOptions): HttpRuntime {
  const deploymentKey = options.deploymentKey ?? (() => ofSecrets(options.secrets, { isDeveloper: false }));
  let key: Promise<KeyObject> | undefined;
  let store: Promise<CredentialStore> | undefined;
  function theStore(): Promise<CredentialStore> {
    store ??= options.credentials?.() ?? import('./auth/late.ts').then(({ memoryCredentials }) => memoryCredentials());
    store.catch(() => {
      store = undefined;
    });
    return store;
  }
  function theKey(): Promise<KeyObject> {
    key ??= deploymentKey().then((text) => createSecretKey(text, 'utf8'));
    // A failure is not remembered: the next call asks again.
    key.catch(() => {
      key = undefined;
    });
    return key;
  }
  return {
    transport: transport(options),
    secrets: options.secrets,
    clock: options.clock,
    entropy: options.entropy ?? plainEntropy,
    tracer: options.tracer,
    admission: options.admission,
    rooms: rooms(options.clock),
    sign: async (material) =>
      createHmac('sha256', await theKey())
        .update(material)
        .digest('base64url'),
    seal: async (purpose, text) => seal(await theKey(), purpose, text),
    async ready(journal) {
      const sealed = journal.some((entry) => isValued(entry) && entry.value && 'text' in entry.value && mayBeSealed(entry.value.text));
      // Whether it is missing is told where it is needed.
      if (sealed) await theKey().catch(() => {});
    },
    credentials: theStore,
    unseal: async (purpose, sealed) => unseal(await theKey(), purpose, sealed),
  };
}

/** Under which name a worker gives it to the engine. */
export const HTTP_SERVICE = 'http';

export function runtimeOf(services: AttemptEnv['services']): HttpRuntime {
  const runtime = services[HTTP_SERVICE] as HttpRuntime | undefined;
  if (!runtime)
    throw new HoldfastError('E_INTERNAL', 'the worker was made without the service "http": give it { services: { http: httpRuntime(…) } }');
  return runtime;
}

const ambient = new AsyncLocalStorage<HttpRuntime>();
let plain: HttpRuntime | undefined;

/** Calls made without a run in `fn` (by a reconciler) use the runtime of the run they serve. */
export function withRuntime<T>(runtime: HttpRuntime, fn: () => T): T {
  return ambient.run(runtime, fn);
}

/** From now on calls made without a run (in steps, too) use this. Called once, by a worker's entry; tests may take it back with `undefined`. */
export function usePlainRuntime(runtime: HttpRuntime | undefined): void {
  plain = runtime;
}

export function plainRuntime(): HttpRuntime {
  const here = ambient.getStore();
  if (here) return here;
  plain ??= httpRuntime({
    clock: plainClock,
    secrets: plainSecrets(),
    // Nothing outlives a plain call, so nothing has to meet its key again.
    deploymentKey: async () => 'plain-use',
    allowLoopback: process.env.HOLDFAST_ALLOW_LOOPBACK === '1',
  });
  return plain;
}
