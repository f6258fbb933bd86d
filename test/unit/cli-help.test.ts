/** The page of the command line says what the command line says, and every example on it is one. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { realOutside } from '../../cli/outside.ts';
import { createProgram } from '../../cli/program.ts';
import { CLI_PAGE, cliPage } from '../../docs/make-cli.ts';
import { cli } from '../support/cli.ts';

const leaves = (command: Command): Command[] =>
  command.commands.length === 0 ? [command] : command.commands.filter((sub) => sub.name() !== 'help').flatMap(leaves);
const pathOf = (command: Command): string => (command.parent ? `${pathOf(command.parent)} ${command.name()}`.trim() : '');
const COMMANDS = leaves(createProgram(realOutside())).map(pathOf);

test('the committed page is the one that the help makes: run `node docs/make-cli.ts` after a change', () => {
  expect(readFileSync(CLI_PAGE, 'utf8')).toBe(cliPage());
});

test('every command is there', () => {
  expect(COMMANDS).toEqual([
    'dev',
    'start',
    'run',
    'runs',
    'inspect',
    'cancel',
    'resume',
    'settle',
    'redrive',
    'delete',
    'dead-letters list',
    'dead-letters redrive',
    'dead-letters delete',
    'connections',
    'hold',
    'release',
    'credential put',
    'credential remove',
    'credential list',
    'token create',
    'token list',
    'token revoke',
    'doctor',
  ]);
});

test.each(COMMANDS)('%s --help tells how, with global options and examples, and ends with 0', async (command) => {
  const { code, out, err } = await cli()(...command.split(' '), '--help');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toContain(`Usage: holdfast ${command}`);
  expect(out).toContain('--stage <name>');
  expect(out).toMatch(new RegExp(`Examples:\\n(  npx holdfast .*\\n)*  npx holdfast ${command}\\b`));
});

test('the help of all tells the exit codes', async () => {
  const { out } = await cli()('--help');
  expect(out).toMatch(/Exit codes:\n {2}0 {4}done/);
});

/** The words of a shell line, up to a pipe or a redirection. */
function words(line: string): string[] {
  const found = [...line.replace(/ [|<] .*$/, '').matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)];
  return found.map(([, single, double, bare]) => single ?? double ?? bare ?? '');
}

const EXAMPLES = [...new Set([...cliPage().matchAll(/^ {2}npx holdfast (.*)$/gm)].map(([, line]) => line as string))];

test.each(EXAMPLES)('the example is understood: npx holdfast %s', async (line) => {
  const program = createProgram(realOutside());
  const reached: string[] = [];
  for (const command of leaves(program)) command.action(() => void reached.push(pathOf(command)));
  await program.parseAsync(words(line), { from: 'user' });
  expect(reached).toHaveLength(1);
  expect(line.startsWith(reached[0] as string)).toBe(true);
});

test.each([
  [['nothing'], /unknown command 'nothing'/],
  [['runs', '--colour'], /unknown option '--colour'/],
  [['run'], /missing required argument 'workflow'/],
  [['runs', '--status', 'lost'], /Allowed choices are queued, running/],
  [['runs', '--limit', 'many'], /--limit must be a whole number from 1 to 10000, not many/],
  [['settle', 'run_1', '3', 'perhaps'], /Allowed choices are happened, not-happened, failed/],
  [['settle', 'run_1', '3', 'failed', '--value', '1'], /--value goes with happened/],
  [['dead-letters', 'redrive'], /which ones\?/],
  [['dead-letters', 'redrive', 'a', '--all'], /not several of them/],
  [['token', 'create'], /required option '--name <name>' not specified/],
  [['token', 'create', '--name', 'x', '--scopes', 'read,write'], /"write" is no scope: they are read, start, operate/],
  [['token', 'create', '--name', 'x', '--expires', 'soon'], /12h, 90d, 8w/],
  [['runs', '--stage', 'No Stage'], /cannot be a stage/],
])('wrong usage %j is said on stderr alone, and ends with 2', async (args, message) => {
  const { code, out, err } = await cli()(...args);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toMatch(message);
});
