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
      .option('--from <seq>', 'from this failure: the number of its journal entry (see inspect)', whole('--from', 0, LAST_SEQ))
      .option('--as-new', 'with other idempotency keys, so that the API does it anew: only where it is known that it did not happen'),
  )
    .addHelpText(
      'after',
      examples('redrive run_0123456789abcdef0123456789abcdef --follow', 'redrive run_0123456789abcdef0123456789abcdef --from 7'),
    )
    .action(async (id: string, { from, asNew, ...options }: OperateOptions & { from?: number; asNew?: true }) => {
      const said = `redriven ${id}${from === undefined ? '' : ` from entry ${from}`}${asNew ? ' as new' : ''}`;
      const body = { ...(from === undefined ? {} : { from }), ...(asNew ? { asNew } : {}) };
      end(await operate(tools, id, options, { path: 'redrive', body, said }));
    });
};
