/** An idempotency key that is a field of the JSON body: which bodies can carry it, and the one that is sent. Identity and hash are of the body without it. */
import type { Core } from './core.ts';
import { CallError } from './errors.ts';
import { bad } from './settings.ts';

/** The field that a keyed call of this connection carries its key in. */
export function keyField(core: Core, effect: string): string | undefined {
  const key = core.idempotencyKey;
  return effect === 'keyed' && key !== undefined && 'field' in key ? key.field : undefined;
}

/** Throws `E_BAD_OPTION` for what is no JSON object, or has the field already. */
export function checkCarries(json: unknown, field: string, label: string): void {
  if (!isObject(json)) {
    bad(
      label,
      'json',
      `must be an object: the connection's idempotency key goes into its field "${field}" (or give the call effects: 'unsafe')`,
    );
  }
  if (Object.hasOwn(json, field)) bad(label, 'json', `has the field "${field}", which is set by Holdfast: leave it out`);
}

/** What an SDK wrote, and the key of its own making that ours takes the place of. Throws `E_REQUEST_INVALID` for what is no JSON object. */
export function withoutKey(body: string | Uint8Array | null, field: string, label: string): { body: string; given?: string } {
  const text = typeof body === 'string' ? body : body === null ? '' : new TextDecoder().decode(body);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {}
  if (!isObject(json)) {
    throw new CallError(
      'E_REQUEST_INVALID',
      `${label}: the body must be a JSON object: the idempotency key goes into its field "${field}"`,
      {
        field: 'body',
      },
    );
  }
  if (!Object.hasOwn(json, field)) return { body: text };
  const { [field]: given, ...rest } = json;
  return { body: JSON.stringify(rest), ...(typeof given === 'string' ? { given } : {}) };
}

/** `body`: the text of a JSON object without that field. Everything else of it stays as it was written. */
export function withField(body: string, field: string, key: string): string {
  const rest = body.trimStart().slice(1);
  return `{${JSON.stringify(field)}:${JSON.stringify(key)}${/^\s*}/.test(rest) ? '' : ','}${rest}`;
}

function isObject(json: unknown): json is Record<string, unknown> {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}
