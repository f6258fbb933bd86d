/** From lines to starts: each is read, held against the limits and the workflow's schema, and given its key. Sends nothing. */
import { HoldfastError } from '../engine/errors.ts';
import type { Json } from '../engine/json.ts';
import { isDeep, MAX_MESSAGE_BYTES, prepareStart, type StartRequest } from '../engine/start.ts';
import type { Registry } from '../engine/workflow.ts';
import { isBlank } from './lines.ts';

const MAX_TEXT = 500;

export type LineError = { line: number; pointer: string; message: string };
export type LineStart = { line: number; id: string; request: StartRequest };
/** `errors`: one or more of each line that was refused. */
export type LineRead = { start: LineStart } | { errors: LineError[] } | undefined;

export type BatchAbout = { batch: string; workflow: string; tenant: string; traceparent?: string };

/** The key of a run: no two lines of a batch have one, and the same line has the same whenever it is read. */
export const lineKey = (batch: string, line: number): string => `${batch}:${line}`;

/** `line` counts from 1. `undefined` of a blank one. */
export async function readLine(bytes: Uint8Array, line: number, about: BatchAbout, registry: Registry): Promise<LineRead> {
  if (isBlank(bytes)) return undefined;
  const refused = (message: string, pointer = ''): LineRead => ({ errors: [{ line, pointer, message }] });
  if (bytes.length > MAX_MESSAGE_BYTES) return refused(tooLong(bytes.length));
  let input: Json;
  try {
    input = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Json;
  } catch (error) {
    return refused(`is not JSON: ${(error as Error).message}`);
  }
  const request: StartRequest = { ...named(about, line), input };
  // As the worker will see it: the message around the input is one level more.
  if (isDeep(request as Json)) return refused('is nested too deep for a message: flatten it');
  const messageBytes = Buffer.byteLength(JSON.stringify(request));
  if (messageBytes > MAX_MESSAGE_BYTES) return refused(tooLong(messageBytes));
  try {
    const { id } = await prepareStart(registry, request, '');
    return { start: { line, id, request } };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { errors: lineErrors(error, line) };
  }
}

function named({ batch, workflow, tenant, traceparent }: BatchAbout, line: number): Omit<StartRequest, 'input'> {
  return { workflow, idempotencyKey: lineKey(batch, line), tenant, ...(traceparent === undefined ? {} : { traceparent }) };
}

const tooLong = (bytes: number): string =>
  `makes a message of ${bytes} bytes, more than ${MAX_MESSAGE_BYTES}: store the data and send a reference`;

function lineErrors({ detail, message }: HoldfastError, line: number): LineError[] {
  const { issues, pointer } = detail;
  if (!Array.isArray(issues))
    return [{ line, pointer: typeof pointer === 'string' && pointer !== '/' ? clip(pointer) : '', message: clip(message) }];
  return issues.map((issue) => {
    const fault = issue as { pointer: string; message: string };
    // The start contract points below `/input`; a line is the input itself.
    return { line, pointer: clip(fault.pointer.replace(/^\/input(?=\/|$)/, '')), message: clip(fault.message) };
  });
}

/** A hundred errors must fit into an answer and into a journal, however long somebody's keys are. */
const clip = (text: string): string => (text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`);
