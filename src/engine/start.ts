/** From a start request to a run: validation, identity, the first record. Pure. */
import { createHash } from 'node:crypto';
import { type ErrorData, HoldfastError } from './errors.ts';
import { canonicalJson, encodeJson, type Json, pointer } from './json.ts';
import type { RunRecord } from './ports.ts';
import { ENGINE_VERSION } from './version.ts';
import type { Registry, Workflow } from './workflow.ts';

/** SQS's own limit was this for most of its life; what is larger belongs into a store, with a reference in the message. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
/** An HTTP-started run that no message reached is looked at by the sweeper after this long. */
export const QUEUED_DUE_MS = 15 * 60_000;

export type StartRequest = { workflow: string; input?: Json; idempotencyKey?: string; tenant?: string; traceparent?: string };

/** A validated start: everything about the run but its history. `input` is the JSON text as it was sent. */
export type Start = {
  id: string;
  tenant: string;
  workflow: Workflow;
  key: string;
  input: string;
  fingerprint: string;
  traceparent?: string;
};

/** So many tell enough; an input may have as many thousands as it has fields. */
const MAX_ISSUES = 100;

const TENANT = /^[\w.:@-]{1,64}$/;
export const TENANT_FORM = '1–64 characters of letters, digits and _ . : @ -';
export const isTenant = (text: string): boolean => TENANT.test(text);
const KEY_MAX = 255;
const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/;

/** `run_` + 128 bits over the length-prefixed parts, so that no two triples collide by concatenation. */
export function runId(tenant: string, workflow: string, key: string): string {
  const hash = createHash('sha256');
  for (const part of [tenant, workflow, key]) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return `run_${hash.digest('hex').slice(0, 32)}`;
}

/** Deeper JSON exhausts the stack of whoever walks it. */
const MAX_DEPTH = 200;

/** Whether a message is deeper than is taken. */
export function isDeep(json: Json): boolean {
  let level: Json[] = [json];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return true;
    level = level.flatMap((value) => (value !== null && typeof value === 'object' ? (Object.values(value) as Json[]) : []));
  }
  return false;
}

/** Parses the body of a start message. Throws `E_MESSAGE_TOO_LARGE` or `E_MESSAGE_MALFORMED` with a pointer. */
export function parseStartMessage(body: string): StartRequest {
  if (Buffer.byteLength(body) > MAX_MESSAGE_BYTES) {
    throw new HoldfastError(
      'E_MESSAGE_TOO_LARGE',
      `the message has ${Buffer.byteLength(body)} bytes, more than ${MAX_MESSAGE_BYTES}: store the data and send a reference`,
    );
  }
  let message: Json;
  try {
    message = JSON.parse(body) as Json;
  } catch (error) {
    throw new HoldfastError('E_MESSAGE_MALFORMED', `the message is not JSON: ${(error as Error).message}`, { detail: { pointer: '/' } });
  }
  if (isDeep(message)) {
    throw new HoldfastError('E_MESSAGE_MALFORMED', `the message is nested more than ${MAX_DEPTH} levels deep`, {
      detail: { pointer: '/' },
    });
  }
  if (message === null || typeof message !== 'object' || Array.isArray(message)) {
    throw new HoldfastError('E_MESSAGE_MALFORMED', 'the message is not a JSON object: send { "workflow": …, "input": … }', {
      detail: { pointer: '/' },
    });
  }
  const text = (field: 'workflow' | 'idempotencyKey' | 'tenant' | 'traceparent', required = false): string | undefined => {
    const value = message[field];
    if (value === undefined && !required) return undefined;
    if (typeof value !== 'string' || value === '') {
      throw new HoldfastError('E_MESSAGE_MALFORMED', `"${field}" must be a non-empty string`, { detail: { pointer: `/${field}` } });
    }
    return value;
  };
  const known = new Set(['workflow', 'input', 'idempotencyKey', 'tenant', 'traceparent']);
  for (const field of Object.keys(message)) {
    if (!known.has(field)) {
      throw new HoldfastError(
        'E_MESSAGE_MALFORMED',
        `"${field}" is not a field of a start message (workflow, input, idempotencyKey, tenant, traceparent)`,
        {
          detail: { pointer: pointer([field]) },
        },
      );
    }
  }
  const request: StartRequest = { workflow: text('workflow', true) as string };
  if (message.input !== undefined) request.input = message.input;
  for (const field of ['idempotencyKey', 'tenant', 'traceparent'] as const) {
    const value = text(field);
    // A malformed traceparent is ignored, as W3C Trace Context, section 3.2, has it.
    if (value !== undefined && (field !== 'traceparent' || TRACEPARENT.test(value))) request[field] = value;
  }
  return request;
}

/**
 * Validates a request against the registry.
 * `key`: what stands for a missing idempotency key (the SQS message id, a UUIDv7).
 * Throws `E_UNKNOWN_WORKFLOW`, `E_MESSAGE_MALFORMED`, or `E_INPUT_INVALID` with the pointer of the first field at fault under `/input`.
 */
export async function prepareStart(registry: Registry, request: StartRequest, key: string): Promise<Start> {
  const workflow = registry.latest(request.workflow);
  if (!workflow) {
    throw new HoldfastError(
      'E_UNKNOWN_WORKFLOW',
      `no workflow "${request.workflow}" is deployed: there are ${
        registry
          .all()
          .map((known) => known.name)
          .join(', ') || 'none'
      }`,
      {
        detail: { pointer: '/workflow' },
      },
    );
  }
  const tenant = request.tenant ?? 'default';
  if (!isTenant(tenant)) {
    throw new HoldfastError('E_MESSAGE_MALFORMED', `"tenant" must be ${TENANT_FORM}`, {
      detail: { pointer: '/tenant' },
    });
  }
  const given = request.idempotencyKey ?? key;
  if (given.length > KEY_MAX) {
    throw new HoldfastError('E_MESSAGE_MALFORMED', `"idempotencyKey" has ${given.length} characters, more than ${KEY_MAX}`, {
      detail: { pointer: '/idempotencyKey' },
    });
  }
  // Absent is null, as it is stored: every replay must validate what the first start did.
  await parseInput(workflow, request.input ?? null);
  const input = encodeJson(request.input, 'the input') ?? 'null';
  return {
    id: runId(tenant, workflow.name, given),
    tenant,
    workflow,
    key: given,
    input,
    fingerprint: fingerprint(workflow.name, request.input ?? null),
    ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
  };
}

/**
 * The input as the workflow's schema gives it. No input and `null` are one: what is kept of a run cannot tell them apart.
 * Throws `E_INPUT_INVALID`.
 */
export async function parseInput(workflow: Workflow, input: Json | undefined): Promise<unknown> {
  if (!workflow.input) return input ?? null;
  const schema = workflow.input['~standard'];
  let result = await schema.validate(input ?? undefined);
  if (!result.issues) return result.value;
  if (input === undefined || input === null) result = await schema.validate(null);
  if (!result.issues) return result.value;
  const issues = result.issues.map((issue) => ({
    pointer: pointer(['input', ...(issue.path ?? []).map((part) => (typeof part === 'object' ? String(part.key) : String(part)))]),
    message: issue.message,
  }));
  const first = issues[0] ?? { pointer: '/input', message: 'invalid' };
  throw new HoldfastError('E_INPUT_INVALID', `the input of ${workflow.name} is invalid: ${first.pointer}: ${first.message}`, {
    detail: { pointer: first.pointer, issues: issues.slice(0, MAX_ISSUES) },
  });
}

export function fingerprint(workflow: string, input: Json): string {
  return createHash('sha256').update(workflow).update('\n').update(canonicalJson(input)).digest('base64url').slice(0, 22);
}

/** The run as it is before anything happened. */
export function newRecord(start: Start, at: { now: number; nonce: string }): RunRecord {
  return {
    id: start.id,
    tenant: start.tenant,
    workflow: start.workflow.name,
    version: start.workflow.version,
    engine: ENGINE_VERSION,
    key: start.key,
    status: 'queued',
    incarnation: 0,
    nonce: at.nonce,
    createdAt: at.now,
    crashes: 0,
    inbox: 0,
    input: { text: start.input },
    fingerprint: start.fingerprint,
    spilled: false,
    journalLength: 0,
    due: at.now + QUEUED_DUE_MS,
    ...(start.traceparent === undefined ? {} : { traceparent: start.traceparent }),
  };
}

/** What a second start with the same key gets when its input differs. */
export function keyConflict(id: string): ErrorData {
  return {
    code: 'E_KEY_CONFLICT',
    name: 'HoldfastError',
    message: `the idempotency key already belongs to run ${id} with another input: use a new key, or send the same input`,
    detail: { run: id },
  };
}
