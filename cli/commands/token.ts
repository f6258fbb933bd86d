/** `token create | list | revoke`: API tokens of a stage, kept as hashes in its connections table. Needs AWS credentials, no API. */
import { createHash, randomBytes } from 'node:crypto';
import { InvalidArgumentError } from 'commander';
import { CliError, EXIT, usage } from '../errors.ts';
import { examples } from '../examples.ts';
import type { AddCommand } from '../program.ts';
import { table } from '../render/table.ts';
import { clock } from '../render/time.ts';
import type { Tools } from '../tools.ts';

const SCOPES = ['read', 'start', 'operate'] as const;
type Scope = (typeof SCOPES)[number];

/** 256 bits: nobody guesses it, so a plain hash of it may be kept. */
const TOKEN_BYTES = 32;
/** A prefix of a hash that people can tell tokens apart by. */
const SHOWN_DIGITS = 12;
const DAY_MS = 86_400_000;
const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, d: DAY_MS, w: 7 * DAY_MS };

type CreateOptions = { name: string; scopes: Scope[]; tenant?: string; expires?: number };

export const addToken: AddCommand = (program, tools) => {
  const group = program
    .command('token')
    .description('API tokens of a stage: made, listed and revoked in its connections table, with AWS credentials.')
    .addHelpText('after', examples('token create --name ci --scopes read,start --stage dev', 'token list', 'token revoke 3f1c9a2b7d4e'));
  group
    .command('create')
    .description('Make a token and print it, this once: only its hash is kept.')
    .requiredOption('--name <name>', 'what it is for')
    .option('--scopes <scopes>', 'comma separated: read (look), start (runs and batches), operate (everything else)', scopesOf, [
      'read',
      'start',
      'operate',
    ])
    .option('--tenant <tenant>', 'it sees and starts runs of this tenant alone; default: of all')
    .option('--expires <time>', 'after so long: 12h, 90d, 8w; default: never', lifetimeOf)
    .addHelpText(
      'after',
      examples('token create --name me', 'token create --name ci --scopes read,start --tenant acme --expires 90d --stage prod'),
    )
    .action((options: CreateOptions) => createToken(tools, options));
  group
    .command('list')
    .description('List tokens, never the tokens themselves.')
    .addHelpText('after', examples('token list --stage dev'))
    .action(() => listTokens(tools));
  group
    .command('revoke')
    .description('Revoke a token: the API refuses it within a minute.')
    .argument('<token>', 'its hash, or as much of its beginning as tells it from others')
    .addHelpText('after', examples('token revoke 3f1c9a2b7d4e --stage dev'))
    .action((prefix: string) => revokeToken(tools, prefix));
};

async function createToken(tools: Tools, { name, scopes, tenant, expires }: CreateOptions): Promise<void> {
  if (tenant !== undefined && !/^[\w.:@-]{1,64}$/.test(tenant)) {
    throw usage(`"${tenant}" cannot be a tenant`, '--tenant is 1–64 characters of letters, digits and _ . : @ -');
  }
  const token = `hf_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
  const createdAt = tools.outside.now();
  const kept = {
    hash: createHash('sha256').update(token).digest('hex'),
    name,
    scopes,
    ...(tenant === undefined ? {} : { tenant }),
    createdAt,
    ...(expires === undefined ? {} : { expiresAt: createdAt + expires }),
  };
  const { withTokens } = await import('../aws/tokens.ts');
  await withTokens(tools, (store) => store.put(kept));
  tools.answer({ token, ...kept }, () => token);
  tools.note(
    `${name}: ${scopes.join(', ')}${tenant === undefined ? '' : `, tenant ${tenant}`}${expires === undefined ? '' : `, until ${clock(new Date(createdAt + expires).toISOString())} UTC`}`,
  );
  tools.note('It is not shown again. Use it as HOLDFAST_TOKEN, or --token.');
}

async function listTokens(tools: Tools): Promise<void> {
  const { withTokens } = await import('../aws/tokens.ts');
  const items = (await withTokens(tools, (store) => store.list())).sort((a, b) => b.createdAt - a.createdAt);
  const now = tools.outside.now();
  const time = (at: number) => clock(new Date(at).toISOString());
  tools.answer({ items }, () =>
    items.length === 0
      ? 'No tokens but those whose hashes are in holdfast.config.ts.'
      : table(
          ['hash', 'name', 'scopes', 'tenant', 'created (UTC)', 'expires'],
          items.map(({ hash, name, scopes, tenant, createdAt, expiresAt }) =>
            [
              hash.slice(0, SHOWN_DIGITS),
              name,
              scopes.join(','),
              tenant ?? 'all',
              time(createdAt),
              expiresAt === undefined ? 'never' : `${time(expiresAt)}${expiresAt <= now ? ' (has)' : ''}`,
            ].map((text) => ({ text })),
          ),
        ),
  );
}

async function revokeToken(tools: Tools, prefix: string): Promise<void> {
  const { withTokens } = await import('../aws/tokens.ts');
  const revoked = await withTokens(tools, async (store) => {
    const [found, ...more] = (await store.list()).filter(({ hash }) => hash.startsWith(prefix.toLowerCase()));
    if (!found) throw new CliError(EXIT.failed, `no token's hash begins with ${prefix}`, { remedy: 'See them: npx holdfast token list' });
    if (more.length > 0) throw usage(`${more.length + 1} tokens' hashes begin with ${prefix}: give more of it`);
    await store.remove(found.hash);
    return found;
  });
  tools.answer({ hash: revoked.hash, name: revoked.name }, () => `revoked ${revoked.name} (${revoked.hash.slice(0, SHOWN_DIGITS)})`);
}

function scopesOf(given: string): Scope[] {
  const scopes = given.split(',').map((scope) => scope.trim());
  const unknown = scopes.find((scope) => !SCOPES.includes(scope as Scope));
  if (unknown !== undefined) throw new InvalidArgumentError(`"${unknown}" is no scope: they are ${SCOPES.join(', ')}.`);
  return [...new Set(scopes)] as Scope[];
}

function lifetimeOf(given: string): number {
  const [, count, unit = ''] = /^(\d{1,4})([hdw])$/.exec(given) ?? [];
  if (count === undefined) throw new InvalidArgumentError('It is a number and h, d or w: 12h, 90d, 8w.');
  return Number(count) * (UNITS[unit] ?? DAY_MS);
}
