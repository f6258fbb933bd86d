/** `inspect <run>`: what a run has done, why, and what can be done about it. */
import type { Run } from '../api-types.ts';
import { wholeJournal } from '../ending.ts';
import { examples } from '../examples.ts';
import type { AddCommand } from '../program.ts';
import { inspectText } from '../render/inspect.ts';

export const addInspect: AddCommand = (program, tools) => {
  program
    .command('inspect')
    .description(
      'Show a run as a tree: each call with its attempts, what was decided and why, waits, values in brief, and what can be done next.',
    )
    .argument('<run>', 'id of the run')
    .addHelpText(
      'after',
      examples('inspect run_0123456789abcdef0123456789abcdef', 'inspect run_0123456789abcdef0123456789abcdef --json | jq .journal'),
    )
    .action(async (id: string) => {
      const api = await tools.api();
      const run = await api.get<Run>(`/v1/runs/${encodeURIComponent(id)}`);
      const journal = await wholeJournal(api, run.id);
      const { outside, paint } = tools;
      tools.answer({ run, journal }, () =>
        inspectText(run, journal, { now: outside.now(), width: outside.stdout.columns ?? 140, paint, stage: tools.settings().stage }),
      );
    });
};
