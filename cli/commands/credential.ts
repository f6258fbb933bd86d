/** `credential put | remove | list`: what is stored for the accounts of connections. Secrets come by stdin: arguments are seen by others. */

import type { Page } from '../api-types.ts';
import { usage } from '../errors.ts';
import { examples } from '../examples.ts';
import { readAll, whole } from '../input.ts';
import { collect } from '../pages.ts';
import type { AddCommand } from '../program.ts';
import { type Cell, table } from '../render/table.ts';
import { clock } from '../render/time.ts';
import type { Tools } from '../tools.ts';

type Account = { account: string; status: 'ok' | 'needs-auth'; version: number; updatedAt?: string; expiresAt?: string; waiting: number };
type PutOptions = { tokenStdin?: boolean; jsonStdin?: boolean };

export const addCredential: AddCommand = (program, tools) => {
  const group = program
    .command('credential')
    .description('Credentials of the accounts of connections: stored encrypted, never shown. Storing one wakes the runs that wait for it.')
    .addHelpText(
      'after',
      examples('credential put crm acme --token-stdin < token.txt', 'credential list crm', 'credential remove crm acme --stage prod'),
    );
  group
    .command('put')
    .description('Store the credential of an account, in place of the one that is there.')
    .argument('<connection>', 'name of the connection, as code declares it')
    .argument('<account>', 'the account, as code names it in .for(account)')
    .option('--token-stdin', 'stdin is a token or key; one line break at its end is taken off')
    .option(
      '--json-stdin',
      'stdin is JSON: { "token" }, { "username", "password" }, or { "refreshToken", "accessToken"?, "expiresAt"? }; and "metadata" if the connection uses it',
    )
    .addHelpText(
      'after',
      examples('credential put crm acme --token-stdin < token.txt', `credential put salesforce acme --json-stdin --stage prod < acme.json`),
    )
    .action((connection: string, account: string, options: PutOptions) => put(tools, connection, account, options));
  group
    .command('remove')
    .description('Remove the credential of an account: within a minute its calls pause their runs.')
    .argument('<connection>', 'name of the connection')
    .argument('<account>', 'the account')
    .addHelpText('after', examples('credential remove crm acme'))
    .action(async (connection: string, account: string) => {
      const api = await tools.api();
      await api.delete(pathOf(connection, account));
      tools.answer({ connection, account }, () => `removed the credential of ${account} of ${connection}`);
    });
  group
    .command('list')
    .description('List the accounts of a connection that have a credential or are waited for, never the credentials.')
    .argument('<connection>', 'name of the connection')
    .option('--limit <n>', 'at most so many', whole('--limit', 1, 10_000), 200)
    .addHelpText(
      'after',
      examples('credential list crm', 'credential list crm --json | jq -r \'.items[] | select(.status == "needs-auth").account\''),
    )
    .action((connection: string, { limit }: { limit: number }) => list(tools, connection, limit));
};

const accountsOf = (connection: string): string => `/v1/connections/${encodeURIComponent(connection)}/accounts`;
const pathOf = (connection: string, account: string): string => `${accountsOf(connection)}/${encodeURIComponent(account)}/credential`;

async function put(tools: Tools, connection: string, account: string, { tokenStdin, jsonStdin }: PutOptions): Promise<void> {
  if ((tokenStdin === true) === (jsonStdin === true))
    throw usage(
      'give --token-stdin or --json-stdin',
      'The credential itself comes by stdin, so that no list of processes and no history shows it',
    );
  if (tools.outside.stdin.isTTY) tools.note('Reading stdin: end it with Ctrl-D.');
  const given = await readAll(tools.outside.stdin);
  const body = tokenStdin ? { token: given.replace(/\r?\n$/, '') } : parsed(given);
  const api = await tools.api();
  const stored = await api.put<Account & { woken: number }>(pathOf(connection, account), body);
  const woken =
    stored.woken === 0
      ? ''
      : `, ${stored.woken} run${stored.woken === 1 ? '' : 's'} that waited for it go${stored.woken === 1 ? 'es' : ''} on`;
  tools.answer(stored, () => `stored the credential of ${account} of ${connection}${woken}`);
}

/** The parser's own words would show a part of it. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw usage('--json-stdin: stdin is not JSON', 'For a token as it is, use --token-stdin');
  }
}

async function list(tools: Tools, connection: string, limit: number): Promise<void> {
  const api = await tools.api();
  const page = await collect<Account>(limit, (query) => api.get<Page<Account>>(accountsOf(connection), query));
  const { paint } = tools;
  tools.answer(page, () =>
    page.items.length === 0
      ? `No accounts of ${connection}.`
      : table(
          ['account', 'status', 'version', 'updated (UTC)', 'expires', 'waiting'],
          page.items.map(({ account, status, version, updatedAt, expiresAt, waiting }): Cell[] => [
            { text: account },
            { text: status, paint: (text) => paint(status === 'ok' ? 'green' : 'red', text) },
            { text: String(version) },
            { text: updatedAt === undefined ? '' : clock(updatedAt) },
            { text: expiresAt === undefined ? '' : clock(expiresAt) },
            { text: waiting === 0 ? '' : String(waiting) },
          ]),
          tools.outside.stdout.columns ?? 160,
        ),
  );
  if (page.next !== undefined && page.items.length > 0) tools.note(`There are more: --limit ${limit * 5}`);
}
