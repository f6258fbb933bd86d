/** Makes docs/cli.md from the commands' own help: `node docs/make-cli.ts`. A test holds the committed page to it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { realOutside } from '../cli/outside.ts';
import { createProgram } from '../cli/program.ts';

export const CLI_PAGE = join(import.meta.dirname, 'cli.md');

const HEAD = `<!-- Made by docs/make-cli.ts from the help of the commands. Change them there. -->

# Command line

\`npx holdfast\` in the project's folder, after \`npm ci\`. Any Node from 20 on will do: it hands over to the one of the lockfile.

| stage | where it goes | token |
| --- | --- | --- |
| \`local\`, the default | \`http://127.0.0.1:3000\`: what \`npx holdfast dev\` and \`npm start\` run | \`local-dev\` |
| \`localstack\` | what \`npm run deploy:local\` has deployed at \`AWS_ENDPOINT_URL\` | \`local-dev\` |
| any other | the output \`ApiUrl\` of the stack \`holdfast-<stage>\`, by CloudFormation | \`HOLDFAST_TOKEN\`, made by \`token create\` |

| setting | variable | |
| --- | --- | --- |
| \`--stage\` | \`HOLDFAST_STAGE\` | one of \`holdfast.config.ts\` |
| \`--url\` | \`HOLDFAST_URL\` | then nothing is asked of CloudFormation, and no AWS credentials are needed |
| \`--token\` | \`HOLDFAST_TOKEN\` | |
| \`--json\` | | one JSON document on stdout; progress, notes and errors go to stderr. An error is \`{ "error": { "message", … } }\`, with the API's problem in it |
| | \`AWS_ENDPOINT_URL\`, \`AWS_REGION\`, \`AWS_PROFILE\`, … | as for every AWS tool: for \`token\`, \`doctor\`, and finding \`ApiUrl\` |
| | \`NO_COLOR\` | no colours; there are none where stdout is not a terminal |

| exit code | |
| --- | --- |
| 0 | done |
| 1 | the thing asked about failed: the run, a check, a request that does not apply |
| 2 | wrong usage: an option, an argument, an input that is not JSON |
| 3 | not reachable, or not configured: no answer, no token, no credentials, no stack |
| 130 | Ctrl-C; a run that was followed goes on |
`;

export function cliPage(): string {
  const program = createProgram(realOutside());
  return [HEAD, ...program.commands.flatMap((command) => sections(command, []))].join('\n');
}

/** A group is told of by its parts. */
function sections(command: Command, parents: readonly string[]): string[] {
  const path = [...parents, command.name()];
  if (command.name() === 'help') return [];
  if (command.commands.length > 0)
    return [`## ${path.join(' ')}\n\n${command.description()}\n`, ...command.commands.flatMap((sub) => sections(sub, path))];
  return [`${parents.length === 0 ? '##' : '###'} ${path.join(' ')}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\`\n`];
}

/** Without the global options: the page has them once. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut(part) {
      text += part;
    },
  });
  command.outputHelp();
  return text.replace(/\nGlobal Options:\n(?: .*\n)+/, '').trim();
}

if (process.argv[1] === import.meta.filename) writeFileSync(CLI_PAGE, cliPage());
