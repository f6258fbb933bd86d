/** `redrive <run>`. */
import { examples } from '../examples.ts';
import { whole } from '../input.ts';
import { type OperateOptions, operate, withOperateOptions } from '../operate.ts';
import type { AddCommand } from '../program.ts';

const LAST_SEQ = 1_000_000;

export const addRedrive: AddCommand = (program, tools, end) => {
  withOperateOptions(
    program
      .command('redrive')
      .description('Start a failed run again from the call whose error ended it. What was done before that is kept, not done again.')
      .argument('<run>', 'id of the run')
      .option('--from <seq>', 'from this failure: the number of its journal entry (see inspect)', whole('--from', 0, LAST_SEQ)),
  )
    .addHelpText(
      'after',
      examples('redrive run_0123456789abcdef0123456789abcdef --follow', 'redrive run_0123456789abcdef0123456789abcdef --from 7'),
    )
    .action(async (id: string, { from, ...options }: OperateOptions & { from?: number }) => {
      const said = `redriven ${id}${from === undefined ? '' : ` from entry ${from}`}`;
      end(await operate(tools, id, options, { path: 'redrive', body: from === undefined ? {} : { from }, said }));
    });
};
