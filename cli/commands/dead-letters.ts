/** `dead-letters list | redrive | delete`: messages that could not become runs. */
import type { Command } from 'commander';
import type { DeadLetterItem, Page } from '../api-types.ts';
import { deleteEach } from '../delete-each.ts';
import { usage } from '../errors.ts';
import { examples } from '../examples.ts';
import { whole } from '../input.ts';
import { collect } from '../pages.ts';
import type { AddCommand } from '../program.ts';
import { type Filter, redriveLetters } from '../redrive-letters.ts';
import { table } from '../render/table.ts';
import { clock } from '../render/time.ts';
import type { Tools } from '../tools.ts';

export const addDeadLetters: AddCommand = (program, tools, end) => {
  const group = program
    .command('dead-letters')
    .description('Messages that could not become runs: list them, redrive them after a fix, delete them.')
    .addHelpText('after', examples('dead-letters list', 'dead-letters redrive --code E_UNKNOWN_WORKFLOW'));
  addList(group, tools);
  addRedriveLetters(group, tools, end);
  group
    .command('delete')
    .description('Delete dead letters for good.')
    .argument('<id...>', 'their ids')
    .addHelpText('after', examples('dead-letters delete 5e2c9a54-7d2c-4b0f-9a54-1c2d3e4f5a6b'))
    .action(async (ids: string[]) => end(await deleteEach(tools, ids, (id) => `/v1/dead-letters/${encodeURIComponent(id)}`)));
};

const withFilter = (command: Command): Command =>
  command
    .option('--code <code>', 'only with this reason, E_INPUT_INVALID say')
    .option('--workflow <name>', 'only for this workflow')
    .option('--tenant <tenant>', 'only of this tenant');

function addList(group: Command, tools: Tools): void {
  withFilter(group.command('list').description('List dead letters, newest first.'))
    .option('--limit <n>', 'at most so many', whole('--limit', 1, 10_000), 50)
    .addHelpText('after', examples('dead-letters list', 'dead-letters list --code E_INPUT_INVALID --json | jq -r .items[].body'))
    .action(async ({ limit, ...filter }: Filter & { limit: number }) => {
      const api = await tools.api();
      const page = await collect(limit, (query) => api.get<Page<DeadLetterItem>>('/v1/dead-letters', { ...filter, ...query }));
      tools.answer(page, () => (page.items.length === 0 ? 'No dead letters.' : lettersTable(page.items, tools)));
      if (page.next !== undefined && page.items.length > 0) tools.note(`There are more: --limit ${limit * 5}`);
    });
}

function lettersTable(items: readonly DeadLetterItem[], { outside }: Tools): string {
  const rows = items.map(({ id, firstSeen, workflow, reason }) =>
    [id, clock(firstSeen), workflow ?? '–', reason.code, reason.message].map((text) => ({ text })),
  );
  return table(['id', 'first seen (UTC)', 'workflow', 'code', 'reason'], rows, outside.stdout.columns ?? 200);
}

type RedriveOptions = Filter & { all?: boolean; perSecond: number };

function addRedriveLetters(group: Command, tools: Tools, end: (code: number) => void): void {
  withFilter(
    group
      .command('redrive')
      .description(
        'Send dead letters again, after what was wrong is mended. Those that are refused again stay. Exit code 1 if any was refused.',
      )
      .argument('[id...]', 'their ids; without ids, a filter or --all'),
  )
    .option('--all', 'all of them')
    .option('--per-second <n>', 'at most so many a second, 1–100', whole('--per-second', 1, 100), 10)
    .addHelpText(
      'after',
      examples(
        'dead-letters redrive 5e2c9a54-7d2c-4b0f-9a54-1c2d3e4f5a6b',
        'dead-letters redrive --code E_UNKNOWN_WORKFLOW --per-second 50',
        'dead-letters redrive --all',
      ),
    )
    .action(async (ids: string[], { all, perSecond, ...filter }: RedriveOptions) => {
      const filtered = Object.keys(filter).length > 0;
      if (ids.length > 0 && (all || filtered)) throw usage('give ids, or a filter, or --all: not several of them');
      if (ids.length === 0 && !filtered && !all) throw usage('which ones? Give ids, a filter (--code, --workflow, --tenant), or --all');
      const api = await tools.api();
      const done = await redriveLetters(api, ids.length > 0 ? { ids } : { filter }, perSecond, (redriven, refused) =>
        tools.note(`${redriven} redriven, ${refused} refused`),
      );
      tools.answer(done, () => `${done.redriven.length} redriven, ${done.refused.length} refused`);
      for (const { id, reason } of done.refused) tools.note(`  ${id}: ${reason}`);
      end(done.refused.length === 0 ? 0 : 1);
    });
}
