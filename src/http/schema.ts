/** Holds a reply against its schema (any Standard Schema, or one per status). Runs on every replay; the journal keeps the raw reply. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { pointer } from '../engine/json.ts';
import { SchemaError } from './errors.ts';
import type { CallOptions, Schema } from './options.ts';
import { type Fetched, type Reply, readReply, type StoredReply } from './reply.ts';
import { bad } from './settings.ts';

/** The reply as user code sees it, at once where no schema is to look at it. `gone`: statuses that stand for a success without a body of its kind; `open`: what its data is in; `fetched`: what of it is not in `text`; `cut`: the error that a success is whose body was cut. Throws `SchemaError`, and that. */
export function typedReply(
  stored: StoredReply,
  options: CallOptions,
  label: string,
  as: { gone?: ReadonlySet<number>; open?: (reply: Reply) => Reply; fetched?: Fetched; cut?: ((reply: Reply) => Error) | undefined } = {},
): Reply | Promise<Reply> {
  let reply: Reply;
  try {
    reply = readReply(stored, options.as, false, as.fetched);
  } catch (error) {
    const json = error instanceof SyntaxError;
    const message = json ? 'the reply to be read as JSON is not JSON' : `the reply is not in the charset that it names (${String(error)})`;
    throw new SchemaError(
      `${label}: ${message}`,
      [{ message: json ? 'not JSON' : 'wrong charset', pointer: '/' }],
      readReply(stored, options.as, true, as.fetched),
    );
  }
  if (as.cut && reply.truncated && reply.status < 300) throw as.cut(reply);
  if (as.open) reply = as.open(reply);
  const { schema } = options;
  if (schema === undefined || (as.gone?.has(reply.status) && !statusesOf(schema).includes(reply.status))) return reply;
  const one = schemaFor(schema, reply, options);
  if (one === undefined) return reply;
  if (one === 'none') {
    const message = `${label}: the schema says nothing of status ${reply.status}; add it to the schema's statuses`;
    throw new SchemaError(message, [{ message: `no schema for status ${reply.status}`, pointer: '/' }], reply);
  }
  return held(one, reply, label);
}

async function held(schema: StandardSchemaV1, reply: Reply, label: string): Promise<Reply> {
  const result = await validated(schema, reply, label);
  if (result.issues === undefined) return withData(reply, result.value);
  const issues = result.issues.map(({ message, path }) => ({
    message,
    pointer: pointer((path ?? []).map((part) => (typeof part === 'object' ? String(part.key) : String(part)))),
  }));
  const first = issues[0] ?? { message: 'not valid', pointer: '/' };
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  const cut = reply.truncated ? '; the body was cut at maxBody' : '';
  throw new SchemaError(
    `${label}: the reply does not satisfy the schema: ${first.message} at ${first.pointer}${more}${cut}`,
    issues,
    reply,
  );
}

/** A schema that throws (a transform, a refinement) has found something that it does not understand: no reason to lose the reply. */
async function validated(schema: StandardSchemaV1, reply: Reply, label: string): Promise<StandardSchemaV1.Result<unknown>> {
  try {
    const checked = schema['~standard'].validate(looseJson(reply.data));
    const result = checked instanceof Promise ? await checked : checked;
    if (typeof result === 'object' && result !== null) return result;
    throw new TypeError(`its validate() gave ${String(result)}`);
  } catch (thrown) {
    const why = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
    throw new SchemaError(`${label}: the schema threw ${why.slice(0, 500)}`, [{ message: `the schema threw ${why}`, pointer: '/' }], reply);
  }
}

/** Statuses that a schema by status names: they are replies, not errors. */
export function statusesOf(schema: Schema | undefined): readonly number[] {
  return schema === undefined || isStandard(schema) ? [] : Object.keys(schema).map(Number);
}

export function checkSchema(schema: Schema | undefined, where: string): void {
  if (schema === undefined || isStandard(schema)) return;
  const entries = typeof schema === 'object' && schema !== null ? Object.entries(schema) : [];
  if (entries.length === 0 || entries.some(([status, one]) => !/^[2-5]\d\d$/.test(status) || !isStandard(one))) {
    bad(where, 'schema', 'must be a Standard Schema (zod, valibot, arktype, …), or an object of them by status');
  }
}

function schemaFor(schema: Schema, reply: Reply, options: CallOptions): StandardSchemaV1 | 'none' | undefined {
  if (!isStandard(schema)) return schema[reply.status] ?? (options.acceptStatus?.includes(reply.status) ? undefined : 'none');
  // A status that the call itself accepts is typed `unknown`: the schema is for successes.
  return options.acceptStatus?.includes(reply.status) ? undefined : schema;
}

function isStandard(schema: unknown): schema is StandardSchemaV1 {
  return (
    (typeof schema === 'object' || typeof schema === 'function') &&
    schema !== null &&
    typeof (schema as StandardSchemaV1)['~standard']?.validate === 'function'
  );
}

/** APIs that call their JSON `text/plain` are common; with a schema, JSON is what is expected. */
function looseJson(data: unknown): unknown {
  if (typeof data !== 'string') return data;
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

function withData(reply: Reply, data: unknown): Reply {
  return Object.defineProperty(reply, 'data', { value: data, enumerable: true, configurable: true });
}
