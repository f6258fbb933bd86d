/** Runs as the contract suites write them. */
import type { RunRecord } from '../../../src/engine/ports.ts';

/** The hour in which the suites play. */
export const NOW = Date.UTC(2026, 0, 10, 12, 30);

export function run(id: string, fields: Partial<RunRecord> = {}): RunRecord {
  return {
    id,
    tenant: 'acme',
    workflow: 'onboard-customer',
    version: 1,
    engine: 1,
    key: `key-of-${id}`,
    status: 'queued',
    incarnation: 0,
    nonce: `nonce-of-${id}`,
    createdAt: NOW,
    crashes: 0,
    inbox: 0,
    input: { text: '{"domain":"acme.example"}' },
    fingerprint: 'fingerprint',
    spilled: false,
    journalLength: 0,
    due: NOW + 900_000,
    ...fields,
  };
}

/** One that uses every field. */
export function fullRun(id: string): RunRecord {
  return run(id, {
    status: 'waiting',
    startedAt: NOW + 1,
    lease: { owner: 'worker-1', until: NOW + 60_000 },
    idleWakes: 2,
    inboxSeen: 0,
    wakeAt: NOW + 30_000,
    input: { ref: 'inputs/abc', bytes: 40_000 },
    spilled: true,
    journalLength: 12,
    journal: new Uint8Array([0, 1, 2, 254, 255]),
    reason: { code: 'E_SECRET_MISSING', message: 'the secret is missing', detail: { secret: 'crm/token' } },
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  });
}
