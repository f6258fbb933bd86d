/** `delete <run...>`. */
import { deleteEach } from '../delete-each.ts';
import { examples } from '../examples.ts';
import type { AddCommand } from '../program.ts';

export const addDelete: AddCommand = (program, tools, end) => {
  program
    .command('delete')
    .description('Remove finished runs with their journals and payloads. Their idempotency keys stay bound.')
    .argument('<run...>', 'ids of the runs')
    .addHelpText('after', examples('delete run_0123456789abcdef0123456789abcdef'))
    .action(async (ids: string[]) => end(await deleteEach(tools, ids, (id) => `/v1/runs/${encodeURIComponent(id)}`)));
};
