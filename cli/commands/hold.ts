/** `hold <connection>`. */
import type { ConnectionItem } from '../api-types.ts';
import { examples } from '../examples.ts';
import type { AddCommand } from '../program.ts';
import { connectionPath } from './connections.ts';

export const addHold: AddCommand = (program, tools) => {
  program
    .command('hold')
    .description('Send nothing more to the API behind a connection until it is released: calls wait, and use up no attempt.')
    .argument('<connection>', 'name of the connection')
    .requiredOption('--why <text>', 'shown to everybody who asks why nothing is sent; one line, at most 200 characters')
    .option('--account <account>', 'only the calls for this account')
    .addHelpText(
      'after',
      examples('hold crm --why "they migrate until noon"', 'hold shopify --account acme --why "asked us to stop" --stage prod'),
    )
    .action(async (connection: string, { why, account }: { why: string; account?: string }) => {
      const api = await tools.api();
      const held = await api.post<ConnectionItem>(`${connectionPath(connection)}/hold`, {
        why,
        ...(account === undefined ? {} : { account }),
      });
      tools.answer(held, () => {
        const which = account === undefined ? connection : `${account} of ${connection}`;
        return `${which} is held: calls in flight are finished, nothing more is sent. To let it go: npx holdfast release ${connection}${account === undefined ? '' : ` --account ${quoted(account)}`}`;
      });
    });
};

const quoted = (text: string): string => (/^[\w.:@/-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`);
