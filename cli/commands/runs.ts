/** `runs`: the newest runs as a table. */
import { Option } from 'commander';
import { type Page, type RunItem, STATUSES } from '../api-types.ts';
import { examples } from '../examples.ts';
import { whole } from '../input.ts';
import { collect } from '../pages.ts';
import type { AddCommand } from '../program.ts';
import { statusStyle } from '../render/status.ts';
import { type Cell, table } from '../render/table.ts';
import { between, clock, duration } from '../render/time.ts';
import type { Tools } from '../tools.ts';

type Options = { workflow?: string; status?: string; tenant?: string; limit: number };

export const addRuns: AddCommand = (program, tools) => {
  program
    .command('runs')
    .description('List runs, newest first.')
    .option('--workflow <name>', 'only of this workflow')
    .addOption(new Option('--status <status>', 'only with this status').choices([...STATUSES]))
    .option('--tenant <tenant>', 'only of this tenant')
    .option('--limit <n>', 'at most so many', whole('--limit', 1, 10_000), 20)
    .addHelpText(
      'after',
      examples('runs', 'runs --status failed --workflow onboard-customer --limit 100', 'runs --json | jq -r .items[].id'),
    )
    .action(async ({ limit, ...filter }: Options) => {
      const api = await tools.api();
      const page = await collect<RunItem>(limit, (query) => api.get<Page<RunItem>>('/v1/runs', { ...filter, ...query }));
      tools.answer(page, () => (page.items.length === 0 ? 'No runs.' : runsTable(page.items, tools)));
      if (page.next !== undefined && page.items.length > 0) tools.note(`There are more: --limit ${limit * 5}`);
    });
};

function runsTable(items: readonly RunItem[], { paint, outside }: Tools): string {
  const now = outside.now();
  const rows = items.map((run): Cell[] => [
    { text: run.id },
    { text: run.workflow },
    { text: run.status, paint: (text) => paint(statusStyle(run.status), text) },
    { text: clock(run.createdAt) },
    { text: duration(run.endedAt === undefined ? now - Date.parse(run.createdAt) : between(run.startedAt ?? run.createdAt, run.endedAt)) },
    { text: note(run, now), paint: (text) => paint('dim', text) },
  ]);
  return table(['run', 'workflow', 'status', 'created (UTC)', 'time', 'note'], rows, outside.stdout.columns ?? 160);
}

function note({ tenant, status, wakeAt, reason }: RunItem, now: number): string {
  const notes = [tenant === 'default' ? '' : `tenant ${tenant}`];
  if (status === 'waiting' && wakeAt !== undefined) notes.push(`wakes in ${duration(Date.parse(wakeAt) - now)}`);
  if (reason) notes.push(`${reason.code}: ${reason.message.split('\n')[0]}`);
  return notes.filter(Boolean).join(', ');
}
