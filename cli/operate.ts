/** What the commands that act on one run share: ask for it, say what was asked, follow if told to. */
import type { Command } from 'commander';
import type { RunStatus } from './api-types.ts';
import { followToEnd } from './ending.ts';
import type { Tools } from './tools.ts';

export type OperateOptions = { why?: string; follow?: boolean };

export const withOperateOptions = (command: Command): Command =>
  command.option('--why <text>', 'kept with it, for people').option('--follow', 'follow the run to its end');

type Asked = { path: string; body: Record<string, unknown>; said: string; wanted?: readonly RunStatus[] };

export async function operate(tools: Tools, id: string, options: OperateOptions, { path, body, said, wanted }: Asked): Promise<number> {
  const api = await tools.api();
  const answer = await api.post<Record<string, unknown> | undefined>(`/v1/runs/${encodeURIComponent(id)}/${path}`, {
    ...body,
    ...(options.why === undefined ? {} : { why: options.why }),
  });
  if (options.follow) {
    tools.note(said);
    return followToEnd(tools, api, id, { toldToGoOn: true, ...(wanted === undefined ? {} : { wanted }) });
  }
  tools.answer(answer ?? { id }, () => said);
  return 0;
}
