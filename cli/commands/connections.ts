/** `connections [name]`: whether calls go to the APIs behind them, and what stops those that do not. */
import type { ConnectionItem, Page } from '../api-types.ts';
import { usage } from '../errors.ts';
import { examples } from '../examples.ts';
import { whole } from '../input.ts';
import { collect } from '../pages.ts';
import type { AddCommand } from '../program.ts';
import { connectionsTable, connectionText } from '../render/connections.ts';
import type { Tools } from '../tools.ts';

type Options = { account?: string; limit: number };
type Whole = ConnectionItem & { accounts: Page<ConnectionItem> };

export const addConnections: AddCommand = (program, tools) => {
  program
    .command('connections')
    .description('Show whether calls go to the APIs behind connections; of one that is named, everything, and its accounts.')
    .argument('[connection]', 'name of the connection')
    .option('--account <account>', 'only this account of it')
    .option('--limit <n>', 'at most so many connections or accounts', whole('--limit', 1, 10_000), 200)
    .addHelpText(
      'after',
      examples(
        'connections',
        'connections crm',
        'connections shopify --account acme',
        'connections --json | jq -r \'.items[] | select(.state != "open").connection\'',
      ),
    )
    .action(async (connection: string | undefined, { account, limit }: Options) => {
      if (connection !== undefined)
        return account === undefined ? showWhole(tools, connection, limit) : showOne(tools, connection, account);
      if (account !== undefined)
        throw usage('--account needs a connection', 'Say of which: npx holdfast connections <connection> --account …');
      return list(tools, limit);
    });
};

const lookOf = ({ outside, paint }: Tools) => ({ now: outside.now(), paint, width: outside.stdout.columns ?? 160 });
export const connectionPath = (connection: string): string => `/v1/connections/${encodeURIComponent(connection)}`;

async function list(tools: Tools, limit: number): Promise<void> {
  const api = await tools.api();
  const page = await collect<ConnectionItem>(limit, (query) => api.get<Page<ConnectionItem>>('/v1/connections', query));
  tools.answer(page, () => (page.items.length === 0 ? 'No connections.' : connectionsTable(page.items, 'connection', lookOf(tools))));
  noteMore(tools, page, limit);
}

async function showOne(tools: Tools, connection: string, account: string): Promise<void> {
  const api = await tools.api();
  const item = await api.get<ConnectionItem>(connectionPath(connection), { account });
  tools.answer(item, () => connectionText(item, lookOf(tools)));
}

async function showWhole(tools: Tools, connection: string, limit: number): Promise<void> {
  const api = await tools.api();
  let own: ConnectionItem | undefined;
  const accounts = await collect<ConnectionItem>(limit, async (query) => {
    const { accounts: page, ...rest } = await api.get<Whole>(connectionPath(connection), query);
    own ??= rest;
    return page;
  });
  const item = own as ConnectionItem;
  tools.answer({ ...item, accounts }, () => {
    const shown =
      item.perAccount && item.hold === undefined
        ? `${tools.paint('bold', connection)}  is called for accounts alone, each by itself`
        : connectionText(item, lookOf(tools));
    if (accounts.items.length > 0) return `${shown}\n\n${connectionsTable(accounts.items, 'account', lookOf(tools))}`;
    return item.perAccount ? `${shown}; nothing is kept of any` : shown;
  });
  noteMore(tools, accounts, limit);
}

function noteMore(tools: Tools, page: Page<unknown>, limit: number): void {
  if (page.next !== undefined && page.items.length > 0) tools.note(`There are more: --limit ${limit * 5}`);
}
