/** `doctor`: what is wrong with the machine, the account or the stack, and what to do about it. */
import type { Finding, Level } from '../doctor/finding.ts';
import { EXIT } from '../errors.ts';
import { examples } from '../examples.ts';
import type { AddCommand } from '../program.ts';
import type { Paint, Style } from '../tools.ts';

const STYLES: Readonly<Record<Level, Style>> = { ok: 'green', warn: 'yellow', fail: 'red', skip: 'dim' };

export const addDoctor: AddCommand = (program, tools, end) => {
  program
    .command('doctor')
    .description('Check the machine, the account and the stack: each as ok, warn or fail with what to do. Exit code 1 if something fails.')
    .addHelpText('after', examples('doctor', 'doctor --stage dev', 'doctor --json | jq ".findings[] | select(.level == \\"fail\\")"'))
    .action(async () => {
      const settings = tools.settings();
      const { examine } = await import('../doctor/examine.ts');
      const findings = await examine({ outside: tools.outside, settings }, (finding) => {
        if (!settings.json) tools.outside.stdout.write(`${findingText(finding, tools.paint)}\n`);
      });
      const failed = findings.filter(({ level }) => level === 'fail').length;
      const healthy = failed === 0;
      tools.answer({ stage: settings.stage, healthy, findings }, () =>
        healthy ? '\nNothing fails.' : `\n${failed} ${failed === 1 ? 'check fails' : 'checks fail'}.`,
      );
      end(healthy ? EXIT.done : EXIT.failed);
    });
};

function findingText({ check, level, found, remedy }: Finding, paint: Paint): string {
  return `${paint(STYLES[level], level.padEnd(4))}  ${check}: ${found}${remedy === undefined ? '' : `\n      ${remedy}`}`;
}
