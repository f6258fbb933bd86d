/** `start`: what `npm start` does. */
import { examples } from '../examples.ts';
import { runLocal, withLocalOptions } from '../local.ts';
import type { AddCommand } from '../program.ts';

export const addStart: AddCommand = (program, tools, end) => {
  withLocalOptions(
    program
      .command('start')
      .description('Run everything on this machine with the demo API and its sample messages, as npm start does. Ctrl-C ends it.')
      .option('--once', 'end when all samples have: exit code 0 if each came to its expected end, else 1')
      .option('--no-demo', 'without the demo API and its samples')
      .option('--demo-port <n>', 'demo API (HOLDFAST_DEMO_PORT); default: 3001'),
  )
    .addHelpText('after', examples('start', 'start --once', 'start --data .holdfast/data --port 3100'))
    .action(async (options: Record<string, string | boolean>) => end(await runLocal(tools, [], options)));
};
