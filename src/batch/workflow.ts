/**
 * The built-in workflow that starts a run for each line of an uploaded file. It goes through the file in parts, one step each:
 * a part that is interrupted is done again, and its runs, whose keys are their lines, begin only once.
 */
import * as z from 'zod/mini';
import { currentRun } from '../engine/context.ts';
import { step } from '../engine/step.ts';
import { type Workflow, workflow } from '../engine/workflow.ts';
import type { BatchPorts, BatchResult, Place } from './part.ts';
import type { BatchAbout } from './starts.ts';

export const BATCH_WORKFLOW = 'holdfast-batch';

/** `workflow`: of the runs. `batch`: what their keys begin with. */
export const BatchInput = z.strictObject({ upload: z.string(), workflow: z.string(), batch: z.string() });

/** The engine begins no step that an invocation has no room for, and some stages give it half a minute. */
const STEP_TIMEOUT = '20s';
const SHOWN_ERRORS = 100;

export function batchWorkflow(ports: BatchPorts): Workflow<z.output<typeof BatchInput>, BatchResult> {
  return workflow({
    name: BATCH_WORKFLOW,
    description: 'Starts a run for each line of an uploaded file',
    input: BatchInput,
    async run({ upload, workflow: name, batch }) {
      const tenant = currentRun()?.run.tenant ?? 'default';
      const file = await step('look for the upload', async () => (await import('./part.ts')).findUpload(ports, tenant, upload), {
        safe: true,
        timeout: STEP_TIMEOUT,
      });
      const about: BatchAbout = { batch, workflow: name, tenant };
      const total: BatchResult = { lines: 0, accepted: 0, refused: 0, errors: [] };
      let at: Place = { offset: 0, line: 1, tooLong: false };
      while (at.offset < file.bytes) {
        const from = at;
        const read = async (to: number) => (await ports.uploads()).read(tenant, upload, { from: from.offset, to, etag: file.etag });
        const { next, ...part } = await step(
          `lines from ${from.line}`,
          // Most workers never see a batch: what goes through one is loaded when it is there.
          async () => (await import('./part.ts')).startPart(ports, about, from, file.bytes, read),
          { idempotent: true, timeout: STEP_TIMEOUT },
        );
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
