/**
 * Tokens as this process holds them: each is read once for all calls, got ahead of its end by one process of the whole fleet (whoever
 * has the lease), and replaced after a 401 only if nobody has replaced it yet. How one is got is the caller's `renewal`.
 */
import { outsideRun } from '../../engine/context.ts';
import type { CredentialKey, CredentialStore, Grant, StoredCredential } from '../../engine/credential-ports.ts';
import { HoldfastError } from '../../engine/errors.ts';
import type { Clock } from '../../engine/ports.ts';
import { NotPrepared } from '../not-prepared.ts';
import type { Transport } from '../transport.ts';
import type { Held } from './account.ts';
import { describe, needsAuth, openGrant, sealGrant } from './account-credential.ts';
import type { Asking } from './auth.ts';

export type Renewed = { readonly grant: Grant; readonly validUntil?: number };

/** How a new token is got. */
export type Renewal = {
  /** Of a key that nobody has stored anything for, too: the secrets of the deployment suffice. */
  readonly unaided: boolean;
  /** The stored grant began with another secret than the deployment has now: it counts for nothing. */
  isOutdated?(grant: Grant): Promise<boolean>;
  /** What a person does about one that was revoked. Default: stores another. */
  readonly remedy?: string;
  /** Throws `Revoked`, `NotPrepared`, or what `Auth.resolve` may. Ends by `until`. */
  renew(grant: Grant | undefined, until: number): Promise<Renewed>;
};

/** The provider takes the grant no longer: nobody need ask again with it. `rest`: what is kept of it. */
export class Revoked extends Error {
  override readonly name = 'Revoked';
  readonly rest: Grant;
  constructor(rest: Grant) {
    super('the provider takes the grant no longer');
    this.rest = rest;
  }
}

/** So long a token that another gets is waited for; the attempt may give up earlier. */
const LOOK_MS = 35_000;
/** So long getting and storing one goes on. */
const RENEW_MS = 20_000;
/** Longer: whoever holds it is done, or has died. */
const LEASE_MS = 25_000;
/** What is held is compared with what is stored this often: a credential that was replaced or removed is seen. */
const KEPT_MS = 60_000;
/** After a failure nobody of the fleet tries again for so long. */
const PAUSE_MS = 1_000;
/** An API that refuses every token does not make the fleet get one for every call. */
const FORCED_AGAIN_MS = 10_000;
const MOST_SLOTS = 5_000;

type Kept = Held & {
  readonly readAt: number;
  readonly isUsable: boolean;
  readonly isRenewable: boolean;
  /** Not sent any more from then on. */
  readonly endsAt?: number;
  /** Ahead of its end, at another time in each process. */
  readonly renewAt?: number;
};

type Slot = {
  kept?: Kept;
  /** The version that an API has refused last. */
  refused?: number;
  /** Got and not stored yet: a rotated refresh token must not be lost with an answer of the store. */
  unsaved?: { readonly expect: number; readonly renewed: Renewed; readonly forced: boolean };
  look?: Promise<Kept>;
};

const processes = new WeakMap<Transport, Map<string, Slot>>();

/** The grant to send now. Throws `E_NEEDS_AUTH`, once the run is noted as one that waits for a credential of its account. */
export async function current(key: CredentialKey, asking: Asking, renewal?: Renewal): Promise<Held> {
  const slot = slotOf(key, asking);
  try {
    return await held(slot, key, asking, renewal);
  } catch (error) {
    const { run } = asking.env;
    if (!isMendedByStoring(error) || run === undefined || key.account === undefined) throw error;
    const store = await asking.http.credentials();
    await store.wait(key, run.id);
    // What is stored from now on finds the run; what was stored just before is found here.
    delete slot.kept;
    const found = await held(slot, key, asking, renewal);
    await store.unwait(key, [run.id]);
    return found;
  }
}

const isMendedByStoring = (error: unknown): boolean =>
  error instanceof HoldfastError && error.code === 'E_NEEDS_AUTH' && error.detail.field === undefined;

async function held(slot: Slot, key: CredentialKey, asking: Asking, renewal: Renewal | undefined): Promise<Held> {
  const refused = asking.refused?.stored;
  if (refused !== undefined) slot.refused = refused;
  const { clock } = asking.env;
  const { kept } = slot;
  if (kept && isValid(kept, slot, clock.now()) && clock.now() < Math.min(kept.renewAt ?? Infinity, kept.readAt + KEPT_MS)) return kept;
  const joined = slot.look !== undefined;
  slot.look ??= outsideRun(() => look(slot, key, asking, renewal)).finally(() => {
    delete slot.look;
  });
  const found = await slot.look;
  if (found.version !== refused) return found;
  // A look that had begun before the refusal may have found what was refused.
  if (joined) return held(slot, key, asking, renewal);
  // It is this call that is refused: of others of the account nothing is known.
  if (!found.isRenewable) needsAuth(asking.core, 'the API refuses its credential');
  return found;
}

/** One for all calls of the process. */
async function look(slot: Slot, key: CredentialKey, asking: Asking, renewal: Renewal | undefined): Promise<Kept> {
  const { core, http, env } = asking;
  const { clock, entropy } = env;
  const until = clock.now() + LOOK_MS;
  const owner = entropy.id();
  const store = await http.credentials();
  let got: number | undefined;
  for (let round = 0; ; round++) {
    if (slot.unsaved) {
      got = slot.unsaved.expect + 1;
      await save(slot, store, key, asking);
    }
    let stored: StoredCredential | undefined;
    try {
      stored = await store.get(key);
    } catch (error) {
      if (slot.kept && isValid(slot.kept, slot, clock.now())) return slot.kept;
      throw new NotPrepared(`the stored credentials of ${describe(core)} cannot be read (${nameOf(error)})`);
    }
    const grant = stored?.sealed === undefined ? undefined : await openGrant(http, key, stored.sealed);
    const outdated = grant !== undefined && (await renewal?.isOutdated?.(grant)) === true;
    const found = grant && stored && !outdated ? keep(stored, grant, asking, renewal) : undefined;
    const now = clock.now();
    const isRefused = found !== undefined && found.version === slot.refused;
    const valid = found !== undefined && isValid(found, slot, now);
    if (found) slot.kept = found;
    // However short it lasts: it is used at least once.
    if (found && found.version === got) return { ...found, isNew: true };
    if (valid && now < (found.renewAt ?? Infinity)) return found;
    if (stored?.status === 'revoked' && !outdated) needsAuth(core, 'the provider takes its credential no longer', renewal?.remedy);
    if (renewal === undefined || !(renewal.unaided || found?.isRenewable)) {
      const ended = found?.endsAt !== undefined && now >= found.endsAt;
      if (found?.isUsable && !ended) return found;
      needsAuth(core, ended ? 'its token has ended and cannot be renewed' : 'there is no credential for it');
    }
    // It was replaced for the same reason a moment ago: another one would be refused as well.
    const justForced = isRefused && stored?.forcedAt !== undefined && now - stored.forcedAt < FORCED_AGAIN_MS;
    if (justForced && now < (found.endsAt ?? Infinity)) return found;

    const expect = stored?.version ?? 0;
    const lease = await orNotPrepared(core, store.lease(key, expect, { owner, until: now + LEASE_MS, now }));
    if (lease !== 'held') {
      if (valid) return found;
      if (now >= until) throw new NotPrepared(`${describe(core)}: another worker is getting a token, and there is none yet`);
      if (lease === 'taken') await pause(clock, Math.min(1_000, 50 * 1.5 ** round) * (0.5 + entropy.random() / 2));
      continue;
    }
    try {
      const renewed = await renewal.renew(outdated ? undefined : grant, clock.now() + RENEW_MS);
      slot.unsaved = { expect, renewed, forced: isRefused };
    } catch (error) {
      if (error instanceof Revoked) {
        const sealed = await sealGrant(http, key, error.rest);
        await orNotPrepared(core, store.replace(key, expect, { status: 'revoked', sealed, updatedAt: clock.now() }));
        continue;
      }
      await store.release(key, owner, clock.now() + PAUSE_MS).catch(() => undefined);
      // What is held goes on until its end.
      if (!valid) throw error;
      slot.kept = { ...found, renewAt: clock.now() + PAUSE_MS * (5 + 5 * entropy.random()) };
      return slot.kept;
    }
  }
}

/** Stored before anything of it is used. What another has stored meanwhile counts for more. Throws `NotPrepared`: then it is tried again with the next look. */
async function save(slot: Slot, store: CredentialStore, key: CredentialKey, { core, http, env }: Asking): Promise<void> {
  const { unsaved } = slot;
  const until = env.clock.now() + RENEW_MS;
  if (!unsaved) return;
  const { grant, validUntil } = unsaved.renewed;
  const sealed = await sealGrant(http, key, grant);
  for (let tried = 0; ; tried++) {
    const updatedAt = env.clock.now();
    const change = { status: 'ok' as const, sealed, updatedAt, ...(validUntil === undefined ? {} : { validUntil }) };
    try {
      await store.replace(key, unsaved.expect, { ...change, ...(unsaved.forced ? { forcedAt: updatedAt } : {}) });
      delete slot.unsaved;
      return;
    } catch (error) {
      if (env.clock.now() >= until) throw new NotPrepared(`${describe(core)}: a new token was got and cannot be stored (${nameOf(error)})`);
      await pause(env.clock, Math.min(1_000, 50 * 2 ** tried) * (0.5 + env.entropy.random() / 2));
    }
  }
}

/** Sent until shortly before its end, and renewed some time before that. */
function keep(stored: StoredCredential, grant: Grant, { env }: Asking, renewal: Renewal | undefined): Kept {
  const { version, validUntil, updatedAt } = stored;
  const isUsable = stored.status === 'ok' && (renewal === undefined || grant.accessToken !== undefined);
  const isRenewable = renewal !== undefined && (renewal.unaided || grant.refreshToken !== undefined);
  const kept = { version, grant, isUsable, isRenewable, readAt: env.clock.now() };
  if (validUntil === undefined) return kept;
  const lifetime = Math.max(0, validUntil - updatedAt);
  const endsAt = validUntil - Math.min(5_000, lifetime / 10);
  return { ...kept, endsAt, renewAt: endsAt - Math.min(300_000, lifetime / 5) * (0.5 + env.entropy.random() / 2) };
}

function isValid({ version, isUsable, endsAt }: Kept, { refused }: Slot, now: number): boolean {
  return isUsable && version !== refused && (endsAt === undefined || now < endsAt);
}

function slotOf({ connection, account }: CredentialKey, { http }: Asking): Slot {
  let slots = processes.get(http.transport);
  if (!slots) {
    slots = new Map();
    processes.set(http.transport, slots);
  }
  const id = JSON.stringify([connection, account ?? null]);
  let slot = slots.get(id);
  if (!slot) {
    slot = {};
    // The oldest that nobody works on: it is read again when it is needed.
    if (slots.size >= MOST_SLOTS) {
      for (const [other, { look, unsaved }] of slots) {
        if (look || unsaved) continue;
        slots.delete(other);
        break;
      }
    }
    slots.set(id, slot);
  }
  return slot;
}

async function orNotPrepared<T>(core: Asking['core'], answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new NotPrepared(`the stored credentials of ${describe(core)} cannot be written (${nameOf(error)})`);
  }
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : 'unknown');

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((done) => clock.timer(ms, done));
}
