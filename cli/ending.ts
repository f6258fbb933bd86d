/** How a followed run ends a command: its result on stdout, what to do otherwise on stderr, and the exit code. */
import type { Api } from './api.ts';
import type { JournalItem, Page, Run, RunStatus } from './api-types.ts';
import { EXIT } from './errors.ts';
import { follow } from './follow.ts';
import { callsOf } from './render/calls.ts';
import { nextSteps } from './render/next-steps.ts';
import { between, duration } from './render/time.ts';
import type { Tools } from './tools.ts';

export type Ending = {
  /** What exit code 0 stands for. Default: `succeeded`. */
  wanted?: readonly RunStatus[];
  /** It was asked to do something just now. */
  toldToGoOn?: boolean;
};

export async function followToEnd(
  tools: Tools,
  api: Api,
  id: string,
  { wanted = ['succeeded'], toldToGoOn }: Ending = {},
): Promise<number> {
  const run = await follow(tools, api, id, toldToGoOn);
  if (run === 'interrupted') {
    const { stage } = tools.settings();
    const suffix = stage === 'local' ? '' : ` --stage ${stage}`;
    tools.note(`\nThe run goes on. Look at it: npx holdfast inspect ${id}${suffix}\nEnd it: npx holdfast cancel ${id}${suffix}`);
    return EXIT.interrupted;
  }
  const ok = wanted.includes(run.status);
  tools.note(endLine(run, tools, ok));
  if (tools.settings().json || run.status === 'succeeded') tools.answer(run, () => JSON.stringify(run.result ?? null, null, 2));
  if (!ok) await tellNext(tools, api, run);
  return ok ? EXIT.done : EXIT.failed;
}

function endLine(run: Run, { paintNote }: Tools, ok: boolean): string {
  const took = run.endedAt === undefined ? '' : ` after ${duration(between(run.startedAt ?? run.createdAt, run.endedAt))}`;
  const error = run.status === 'paused' ? run.reason : run.error;
  return `${paintNote(ok ? 'green' : 'red', run.status)}${took}${error === undefined ? '' : `: ${error.code}: ${error.message}`}`;
}

async function tellNext(tools: Tools, api: Api, run: Run): Promise<void> {
  const calls = callsOf(await wholeJournal(api, run.id));
  const { stage } = tools.settings();
  const suffix = stage === 'local' ? '' : ` --stage ${stage}`;
  tools.note(`  npx holdfast inspect ${run.id}${suffix}`);
  for (const { command } of nextSteps(run, calls, stage)) tools.note(`  ${command}`);
}

export async function wholeJournal(api: Api, id: string): Promise<JournalItem[]> {
  const items: JournalItem[] = [];
  let after: string | undefined;
  do {
    const page = await api.get<Page<JournalItem>>(`/v1/runs/${id}/journal`, { after });
    items.push(...page.items);
    after = page.next;
  } while (after !== undefined);
  return items;
}
