/** `cancel <run>`. */
import { examples } from '../examples.ts';
import { type OperateOptions, operate, withOperateOptions } from '../operate.ts';
import type { AddCommand } from '../program.ts';

export const addCancel: AddCommand = (program, tools, end) => {
  withOperateOptions(
    program
      .command('cancel')
      .description('Ask an unfinished run to end: it sees it at its next await; effects in flight are finished first.')
      .argument('<run>', 'id of the run'),
  )
    .addHelpText(
      'after',
      examples('cancel run_0123456789abcdef0123456789abcdef --why "ordered twice"', 'cancel run_0123456789abcdef0123456789abcdef --follow'),
    )
    .action(async (id: string, options: OperateOptions) => {
      // A run may catch it, clean up and end as its function says: that too is what cancelling asks for.
      const wanted = ['cancelled', 'succeeded'] as const;
      end(await operate(tools, id, options, { path: 'cancel', body: {}, said: `asked ${id} to end`, wanted }));
    });
};
