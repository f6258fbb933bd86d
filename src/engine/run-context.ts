/** What user code can reach of a run. A class, so that a heap search finds those that should be gone. */
import type { RunHandle } from './context.ts';
import type { RunRecord } from './ports.ts';

export class RunContext implements RunHandle {
  readonly id: string;
  readonly tenant: string;
  readonly workflow: string;
  readonly engine: number;
  readonly now: RunHandle['now'];
  readonly random: RunHandle['random'];
  readonly issue: RunHandle['issue'];
  readonly log: RunHandle['log'];
  constructor(record: RunRecord, verbs: Pick<RunHandle, 'now' | 'random' | 'issue' | 'log'>) {
    this.id = record.id;
    this.tenant = record.tenant;
    this.workflow = record.workflow;
    this.engine = record.engine;
    this.now = verbs.now;
    this.random = verbs.random;
    this.issue = verbs.issue;
    this.log = verbs.log;
  }
}
