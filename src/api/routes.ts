/** Every route of the API, in one table. */
import type { ApiDeps } from './deps.ts';
import type { Route } from './router.ts';
import { createUpload, startBatch } from './routes/batches.ts';
import { getConnection, holdConnection, listConnections, releaseConnection } from './routes/connections.ts';
import { listAccounts, putCredential, removeCredential } from './routes/credentials.ts';
import { deleteDeadLetter, listDeadLetters, redriveDeadLetters } from './routes/dead-letters.ts';
import { healthz } from './routes/healthz.ts';
import { openApiRoute } from './routes/openapi.ts';
import { cancel, redrive, remove, resume, settle } from './routes/operate.ts';
import { getJournal, getRun, listRuns } from './routes/runs.ts';
import { startRunRoute } from './routes/start-run.ts';
import { getWorkflow, listWorkflows } from './routes/workflows.ts';

export const ROUTES: readonly Route<ApiDeps>[] = [
  startRunRoute,
  listRuns,
  getRun,
  getJournal,
  cancel,
  resume,
  redrive,
  settle,
  remove,
  listWorkflows,
  getWorkflow,
  startBatch,
  createUpload,
  listConnections,
  getConnection,
  holdConnection,
  releaseConnection,
  listAccounts,
  putCredential,
  removeCredential,
  listDeadLetters,
  redriveDeadLetters,
  deleteDeadLetter,
  healthz,
  openApiRoute(() => ROUTES),
];
