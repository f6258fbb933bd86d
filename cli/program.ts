/** The command line as a whole: global options, the list of commands, and how each way of ending becomes an exit code. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { addCancel } from './commands/cancel.ts';
import { addConnections } from './commands/connections.ts';
import { addCredential } from './commands/credential.ts';
import { addDeadLetters } from './commands/dead-letters.ts';
import { addDelete } from './commands/delete.ts';
import { addDev } from './commands/dev.ts';
import { addDoctor } from './commands/doctor.ts';
import { addHold } from './commands/hold.ts';
import { addInspect } from './commands/inspect.ts';
import { addRedrive } from './commands/redrive.ts';
import { addRelease } from './commands/release.ts';
import { addResume } from './commands/resume.ts';
import { addRun } from './commands/run.ts';
import { addRuns } from './commands/runs.ts';
import { addSettle } from './commands/settle.ts';
import { addStart } from './commands/start.ts';
import { addToken } from './commands/token.ts';
import { CliError, EXIT } from './errors.ts';
import { type Outside, ROOT, realOutside } from './outside.ts';
import { type Tools, toolsOf } from './tools.ts';

/** Adds one command. What its action returns is the exit code; nothing is 0. */
export type AddCommand = (program: Command, tools: Tools, end: (code: number) => void) => void;

const COMMANDS: readonly AddCommand[] = [
  addDev,
  addStart,
  addRun,
  addRuns,
  addInspect,
  addCancel,
  addResume,
  addSettle,
  addRedrive,
  addDelete,
  addDeadLetters,
  addConnections,
  addHold,
  addRelease,
  addCredential,
  addToken,
  addDoctor,
];

const EXIT_CODES = `
Exit codes:
  0    done
  1    the thing asked about failed
  2    wrong usage
  3    not reachable, or not configured
  130  interrupted
`;

export function createProgram(outside: Outside, end: (code: number) => void = () => undefined): Command {
  const program = new Command('holdfast')
    .description('Starts, watches and operates durable runs, on this machine, LocalStack and AWS alike.')
    .version(version(), '--version', 'print the version')
    .option('--stage <name>', 'stage of holdfast.config.ts (HOLDFAST_STAGE); default: local')
    .option('--url <url>', "URL of the HTTP API (HOLDFAST_URL); default: local, or the output ApiUrl of the stage's stack")
    .option('--token <token>', 'API token (HOLDFAST_TOKEN); default: local-dev, on the stages local and localstack')
    .option('--json', 'one JSON document on stdout; everything else goes to stderr')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .configureHelp({ showGlobalOptions: true, helpWidth: 110 })
    .showHelpAfterError('Add --help to see how it is used.')
    .addHelpText(
      'after',
      `
Examples:
  npx holdfast dev
  npx holdfast run onboard-customer --input '{"domain":"acme.example","seats":3}'
  npx holdfast runs --status failed --stage prod
${EXIT_CODES}`,
    );
  // Before the commands are added: they inherit it.
  program.exitOverride().configureOutput({
    writeOut: (text) => void outside.stdout.write(text),
    writeErr: (text) => void outside.stderr.write(text),
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  const tools = toolsOf(program, outside);
  for (const add of COMMANDS) add(program, tools, end);
  return program;
}

/** `args`: without node and script. The exit code. */
export async function runCli(args: readonly string[], outside: Outside): Promise<number> {
  let code: number = EXIT.done;
  const program = createProgram(outside, (given) => {
    code = given;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (!(error instanceof CliError)) {
      outside.stderr.write(`holdfast: ${(error as Error).stack ?? String(error)}\n`);
      return EXIT.failed;
    }
    outside.stderr.write(`holdfast: ${error.message}\n${error.remedy === undefined ? '' : `  ${error.remedy}\n`}`);
    if (args.includes('--json')) outside.stdout.write(`${JSON.stringify({ error: { message: error.message, ...error.data } })}\n`);
    return error.exit;
  }
}

export async function main(): Promise<void> {
  process.exitCode = await runCli(process.argv.slice(2), realOutside());
}

function version(): string {
  return (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version;
}
