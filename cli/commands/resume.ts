/** `resume <run>`. */
import { examples } from '../examples.ts';
import { type OperateOptions, operate, withOperateOptions } from '../operate.ts';
import type { AddCommand } from '../program.ts';

export const addResume: AddCommand = (program, tools, end) => {
  withOperateOptions(
    program
      .command('resume')
      .description('Let a paused run try again, once what its reason names is mended: a secret, a variable, code that took another way.')
      .argument('<run>', 'id of the run'),
  )
    .addHelpText(
      'after',
      examples('resume run_0123456789abcdef0123456789abcdef', 'resume run_0123456789abcdef0123456789abcdef --why "secret added" --follow'),
    )
    .action(async (id: string, options: OperateOptions) => {
      end(await operate(tools, id, options, { path: 'resume', body: {}, said: `resumed ${id}` }));
    });
};
