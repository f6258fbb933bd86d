/** One part of an uploaded file: read from a place as far as it goes at once, its lines held against the limits, its runs started. */
import { NonRetryableError } from '../engine/errors.ts';
import type { StartRequest } from '../engine/start.ts';
import type { Registry } from '../engine/workflow.ts';
import { splitLines } from './lines.ts';
import { MAX_UPLOAD_BYTES, type StartQueue, type Uploads } from './ports.ts';
import { type BatchAbout, type LineError, readLine } from './starts.ts';

/** `lines`: those that hold something. `errors`: of the first lines that were refused, a hundred at most. */
export type BatchResult = { lines: number; accepted: number; refused: number; errors: LineError[] };

/** Short lines are many: so many are sent well within the timeout of a step. */
const PART_LINES = 5_000;
const PART_BYTES = 1024 * 1024;
const SHOWN_ERRORS = 100;

/** `uploads`: loaded when there is a batch, since most workers never see one. */
export type BatchPorts = { uploads: () => Promise<Pick<Uploads, 'find' | 'read'>>; starts: StartQueue; registry: () => Registry };

/** `tooLong`: the line that begins before `offset` has been refused, and its end is still to come. */
export type Place = { offset: number; line: number; tooLong: boolean };
export type Part = BatchResult & { next: Place };

export async function startPart(
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

/** Throws `NonRetryableError` for one that is not there, or too large. */
export async function findUpload({ uploads }: BatchPorts, tenant: string, upload: string) {
  const file = await (await uploads()).find(tenant, upload);
  if (!file) throw new NonRetryableError(`the upload ${upload} is not there: nothing was sent to its URL, or it has expired`);
  if (file.bytes > MAX_UPLOAD_BYTES) {
    throw new NonRetryableError(`the upload ${upload} has ${file.bytes} bytes, more than ${MAX_UPLOAD_BYTES}: split the file`);
  }
  return file;
}
