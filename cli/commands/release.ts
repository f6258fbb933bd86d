/** `release <connection>`. */
import type { ConnectionItem } from '../api-types.ts';
import { examples } from '../examples.ts';
import type { AddCommand } from '../program.ts';
import { howLong } from '../render/connections.ts';
import { connectionPath } from './connections.ts';

export const addRelease: AddCommand = (program, tools) => {
  program
    .command('release')
    .description('Let the calls of a connection that was held go again, slowly at first. Runs that wait look again within some minutes.')
    .argument('<connection>', 'name of the connection')
    .option('--account <account>', 'only the calls for this account')
    .option('--why <text>', 'kept in the log, for people')
    .addHelpText('after', examples('release crm', 'release shopify --account acme --stage prod'))
    .action(async (connection: string, { why, account }: { why?: string; account?: string }) => {
      const api = await tools.api();
      const body = { ...(account === undefined ? {} : { account }), ...(why === undefined ? {} : { why }) };
      const released = await api.post<ConnectionItem>(`${connectionPath(connection)}/release`, body);
      tools.answer(released, () => {
        const time = howLong(released, tools.outside.now());
        return `${account === undefined ? connection : `${account} of ${connection}`} is released: it is ${released.state}${time === '' ? '' : ` for ${time}`}`;
      });
    });
};
