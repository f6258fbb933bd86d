/**
 * The built-in workflow that starts a run for each line of an uploaded file. It goes through the file in parts, one step each:
 * a part that is interrupted is done again, and its runs, whose keys are their lines, begin only once.
 */
import * as z from 'zod/mini';
import { currentRun } from '../engine/context.ts';
import { NonRetryableError } from '../engine/errors.ts';
import type { StartRequest } from '../engine/start.ts';
import { step } from '../engine/step.ts';
import { type Registry, type Workflow, workflow } from '../engine/workflow.ts';
import { splitLines } from './lines.ts';
import { MAX_UPLOAD_BYTES, type StartQueue, type Uploads } from './ports.ts';
import { type BatchAbout, type LineError, readLine } from './starts.ts';

export const BATCH_WORKFLOW = 'holdfast-batch';

/** `workflow`: of the runs. `batch`: what their keys begin with. */
export const BatchInput = z.strictObject({ upload: z.string(), workflow: z.string(), batch: z.string() });

/** `lines`: those that hold something. `errors`: of the first lines that were refused, a hundred at most. */
export type BatchResult = { lines: number; accepted: number; refused: number; errors: LineError[] };

/** Short lines are many: so many are sent well within the timeout of a step. */
const PART_LINES = 5_000;
const PART_BYTES = 1024 * 1024;
/** Below what the shortest invocation has left for it. */
const PART_TIMEOUT = '20s';
const SHOWN_ERRORS = 100;

export type BatchPorts = { uploads: Pick<Uploads, 'find' | 'read'>; starts: StartQueue; registry: () => Registry };

/** `tooLong`: the line that begins before `offset` has been refused, and its end is still to come. */
type Place = { offset: number; line: number; tooLong: boolean };
type Part = BatchResult & { next: Place };

export function batchWorkflow(ports: BatchPorts): Workflow<z.output<typeof BatchInput>, BatchResult> {
  return workflow({
    name: BATCH_WORKFLOW,
    description: 'Starts a run for each line of an uploaded file',
    input: BatchInput,
    async run({ upload, workflow: name, batch }) {
      const tenant = currentRun()?.run.tenant ?? 'default';
      const file = await step('look for the upload', () => found(ports, tenant, upload), { safe: true, timeout: PART_TIMEOUT });
      const about: BatchAbout = { batch, workflow: name, tenant };
      const total: BatchResult = { lines: 0, accepted: 0, refused: 0, errors: [] };
      let at: Place = { offset: 0, line: 1, tooLong: false };
      while (at.offset < file.bytes) {
        const from = at;
        const read = async (to: number) => ports.uploads.read(tenant, upload, { from: from.offset, to, etag: file.etag });
        const { next, ...part } = await step(`lines from ${from.line}`, () => startPart(ports, about, from, file.bytes, read), {
          idempotent: true,
          timeout: PART_TIMEOUT,
        });
        total.lines += part.lines;
        total.accepted += part.accepted;
        total.refused += part.refused;
        total.errors.push(...part.errors.slice(0, SHOWN_ERRORS - total.errors.length));
        at = next;
      }
      return total;
    },
  });
}

async function found({ uploads }: BatchPorts, tenant: string, upload: string) {
  const file = await uploads.find(tenant, upload);
  if (!file) throw new NonRetryableError(`the upload ${upload} is not there: nothing was sent to its URL, or it has expired`);
  if (file.bytes > MAX_UPLOAD_BYTES) {
    throw new NonRetryableError(`the upload ${upload} has ${file.bytes} bytes, more than ${MAX_UPLOAD_BYTES}: split the file`);
  }
  return file;
}

/** Reads from a place as far as it goes at once, and starts what can be. */
async function startPart(
  { starts, registry }: BatchPorts,
  about: BatchAbout,
  { offset, line: first, tooLong }: Place,
  bytes: number,
  read: (to: number) => Promise<Uint8Array>,
): Promise<Part> {
  const end = Math.min(bytes, offset + PART_BYTES);
  const data = await read(end);
  const part: Part = { lines: 0, accepted: 0, refused: 0, errors: [], next: { offset, line: first, tooLong } };
  const refuse = (errors: readonly LineError[]) => {
    part.refused++;
    part.errors.push(...errors.slice(0, SHOWN_ERRORS - part.errors.length));
  };
  const requests: StartRequest[] = [];
  const registered = registry();
  let line = first;
  for (const raw of splitLines(data, { isWhole: end === bytes })) {
    // What has no end within a part is refused where it begins; the rest of it is no line of its own.
    const answer = line === first && tooLong ? undefined : await readLine(raw.bytes, line, about, registered);
    if (answer) part.lines++;
    if (answer && 'start' in answer) requests.push(answer.start.request);
    else if (answer) refuse(answer.errors);
    part.next = { offset: offset + raw.next, line: ++line, tooLong: false };
    if (line - first === PART_LINES) break;
  }
  if (part.next.offset === offset) {
    if (!tooLong) {
      part.lines++;
      refuse([{ line, pointer: '', message: `has more than ${PART_BYTES} bytes: store the data and send a reference` }]);
    }
    part.next = { offset: end, line, tooLong: true };
  }
  await starts.start(requests);
  part.accepted = requests.length;
  return part;
}
