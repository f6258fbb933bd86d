/** `npm run cost`: what a stage costs in a month in which nobody uses it, line by line. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './bundle.ts';
import { CommandError, program, readFlags, say } from './commands/program.ts';
import { idleCost } from './cost/idle.ts';
import { costReport } from './cost/report.ts';
import { synthesise } from './synthesise.ts';

const HELP = `Usage: npm run cost -- [options]

  --stage NAME   a stage of holdfast.config.ts; default prod
  --help         this
`;

await program(async () => {
  const flags = readFlags(process.argv.slice(2), HELP, { help: { type: 'boolean', short: 'h' }, stage: { type: 'string' } });
  if (flags.help) return say(HELP);
  const stage = flags.stage ?? 'prod';
  const folder = join(ROOT, 'cdk.out', `cost-${process.pid}`);
  try {
    // Costs do not depend on whose token it is.
    const { template } = await synthesise(stage, folder, { HOLDFAST_API_TOKEN_SHA256: '0'.repeat(64) }).catch((error: Error) => {
      throw new CommandError(error.message, { cause: error });
    });
    say(costReport(stage, idleCost(template.Resources)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
