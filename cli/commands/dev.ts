/** `dev`: what `npm run dev` does. */
import { examples } from '../examples.ts';
import { runLocal, withLocalOptions } from '../local.ts';
import type { AddCommand } from '../program.ts';

export const addDev: AddCommand = (program, tools, end) => {
  withLocalOptions(
    program
      .command('dev')
      .description(
        'Run everything on this machine without the demo, as npm run dev does. When workflows/, connections/, functions/, src/ or holdfast.config.ts change, the functions are built anew and replaced; tables, queues and runs in flight stay.',
      )
      .option('--inspect', 'one worker process with source maps and an inspector, with 15 minutes for an invocation')
      .option('--inspect-port <n>', 'inspector; default: 9229'),
  )
    .addHelpText('after', examples('dev', 'dev --data .holdfast/data', 'dev --inspect'))
    .action(async (options: Record<string, string | boolean>) => end(await runLocal(tools, ['--no-demo', '--reload'], options)));
};
