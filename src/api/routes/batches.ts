/** `/v1/workflows/{workflow}/batches`: many runs of one workflow, by lines in the request or in an uploaded file. */
import { MAX_UPLOAD_BYTES } from '../../batch/ports.ts';
import { BATCH_WORKFLOW } from '../../batch/workflow.ts';
import { prepareStart } from '../../engine/start.ts';
import { tenantOf } from '../auth.ts';
import { startLines } from '../batch.ts';
import { Problem } from '../problem.ts';
import { BatchHeaders, NoQuery, UploadedBatch, UploadHeaders } from '../requests.ts';
import { BatchAccepted, Upload } from '../schemas.ts';
import { startRun } from '../start.ts';
import { route } from '../table.ts';
import { traceOf } from '../trace.ts';
import { startedView, time } from '../views.ts';
import { knownWorkflow } from './workflows.ts';

const DEFAULT_TENANT = 'default';

export const startBatch = route({
  method: 'POST',
  path: '/v1/workflows/{workflow}/batches',
  operation: 'startBatch',
  tag: 'Batches',
  summary: 'Start a run for each line',
  description:
    'NDJSON, one input a line, up to 4 MB and 10,000 lines: valid lines are started by messages, others are told by their number. As `application/json`, the name of an upload: a run of a built-in workflow then does the same.',
  scope: 'start',
  query: NoQuery,
  headers: BatchHeaders,
  body: {
    json: UploadedBatch,
    lines: { description: 'One input a line; blank lines are skipped.', example: '{"customer":"ada"}\n{"customer":"grace"}\n' },
  },
  answers: {
    202: {
      description: 'Of lines, how many were accepted, and the errors of the others; of an upload, the run that reads it.',
      schema: BatchAccepted,
      headers: { Location: 'Of an upload: the run that reads it.' },
    },
  },
  problems: ['E_UNKNOWN_WORKFLOW', 'E_UNKNOWN_UPLOAD', 'E_BATCH_REFUSED', 'E_KEY_CONFLICT', 'E_RUN_DELETED'],
  async handle({ request, params, headers, body, lines, bearer }, deps) {
    const { name } = knownWorkflow(deps, params.workflow ?? '');
    const tenant = tenantOf(bearer, headers['Holdfast-Tenant'], { header: 'Holdfast-Tenant' }) ?? DEFAULT_TENANT;
    const key = headers['Idempotency-Key'];
    const trace = traceOf(headers.traceparent);
    if (lines) {
      return { status: 202, body: await startLines(deps, lines, { batch: key ?? deps.newKey(), workflow: name, tenant, ...trace }) };
    }
    const { upload } = body;
    const found = await deps.uploads.find(tenant, upload);
    if (!found) {
      const message = `there is no upload ${upload}: send the file to its URL first, by the tenant that asked for it; after two days it is gone`;
      throw new Problem('E_UNKNOWN_UPLOAD', message, { errors: [{ pointer: '/upload', message }] });
    }
    if (found.bytes > MAX_UPLOAD_BYTES) {
      throw new Problem('E_BODY_TOO_LARGE', `the upload has ${found.bytes} bytes, more than ${MAX_UPLOAD_BYTES}: split the file`);
    }
    // The upload's own name where there is no key: to say it twice starts it once.
    const batch = key ?? upload;
    const start = { workflow: BATCH_WORKFLOW, tenant, idempotencyKey: batch, input: { upload, workflow: name, batch }, ...trace };
    const run = await startRun(deps, await prepareStart(deps.registry, start, batch));
    const started = startedView(run, request.base);
    return { status: 202, body: started, headers: { location: started.links.self }, run: run.id };
  },
});

export const createUpload = route({
  method: 'POST',
  path: '/v1/workflows/{workflow}/batches/uploads',
  operation: 'createUpload',
  tag: 'Batches',
  summary: 'Where to send a file of lines, up to 1 GB',
  description: 'Send it by PUT to `url`, then start the batch with `upload`. It is kept for two days.',
  scope: 'start',
  query: NoQuery,
  headers: UploadHeaders,
  answers: { 201: { description: 'A place for it.', schema: Upload } },
  problems: ['E_UNKNOWN_WORKFLOW'],
  async handle({ params, headers, bearer }, deps) {
    knownWorkflow(deps, params.workflow ?? '');
    const tenant = tenantOf(bearer, headers['Holdfast-Tenant'], { header: 'Holdfast-Tenant' }) ?? DEFAULT_TENANT;
    const { upload, url, headers: sent, expiresAt } = await deps.uploads.create(tenant);
    return { status: 201, body: { upload, url, method: 'PUT', headers: sent, expiresAt: time(expiresAt) } };
  },
});
