/** Every route of the API, in one table. */
import type { ApiDeps } from './deps.ts';
import type { Route } from './router.ts';
import { listDeadLetters } from './routes/dead-letters.ts';
import { healthz } from './routes/healthz.ts';
import { getJournal, getRun, listRuns } from './routes/runs.ts';
import { startRunRoute } from './routes/start-run.ts';
import { getWorkflow, listWorkflows } from './routes/workflows.ts';

export const ROUTES: readonly Route<ApiDeps>[] = [
  healthz,
  listWorkflows,
  getWorkflow,
  startRunRoute,
  listRuns,
  getRun,
  getJournal,
  listDeadLetters,
];
