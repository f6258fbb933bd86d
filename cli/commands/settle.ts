/** `settle <run> <seq> <outcome>`: what a person found out about a call of which nobody knew whether it happened. */
import { Argument } from 'commander';
import { usage } from '../errors.ts';
import { examples } from '../examples.ts';
import { readInput, whole } from '../input.ts';
import { type OperateOptions, operate, withOperateOptions } from '../operate.ts';
import type { AddCommand } from '../program.ts';

type Options = OperateOptions & { value?: string; message?: string };

export const addSettle: AddCommand = (program, tools, end) => {
  withOperateOptions(
    program
      .command('settle')
      .description(
        'Settle a call whose outcome is not known: it happened, it did not and is sent again, or the workflow gets an UnknownOutcomeError.',
      )
      .argument('<run>', 'id of the run')
      .argument('<seq>', 'of any journal entry of the call (see inspect)', whole('<seq>', 0, 1_000_000))
      .addArgument(new Argument('<outcome>', 'what you found out').choices(['happened', 'not-happened', 'failed']))
      .option(
        '--value <json>',
        'of happened: what the workflow gets, as JSON, @file or -; of a call it is the reply: {"status", "headers"?, "data"?}',
      )
      .option('--message <text>', 'of failed: what the error says'),
  )
    .addHelpText(
      'after',
      examples(
        `settle run_0123456789abcdef0123456789abcdef 7 happened --value '{"status":201,"data":{"id":"m-1"}}'`,
        'settle run_0123456789abcdef0123456789abcdef 7 not-happened --follow',
        'settle run_0123456789abcdef0123456789abcdef 7 failed --message "the customer has left"',
      ),
    )
    .action(async (id: string, seq: number, outcome: string, { value, message, ...options }: Options) => {
      if (value !== undefined && outcome !== 'happened') throw usage('--value goes with happened');
      if (message !== undefined && outcome !== 'failed') throw usage('--message goes with failed');
      const body = {
        outcome,
        ...(value === undefined ? {} : { value: await readInput('--value', value, tools.outside) }),
        ...(message === undefined ? {} : { message }),
      };
      end(await operate(tools, id, options, { path: `calls/${seq}/settle`, body, said: `settled entry ${seq} of ${id}: ${outcome}` }));
    });
};
