/** `npm run demo`: the demo API alone, in the foreground, for a stage that runs elsewhere: on LocalStack, say. */
import { parseArgs } from 'node:util';
import { LocalError } from '../errors.ts';
import { APIS } from './routes.ts';
import { startDemoApi } from './server.ts';

const HELP = `Usage: npm run demo -- [options]

The demo API alone, until Ctrl-C: what npm start starts beside everything else.

  --demo-port N   its port (HOLDFAST_DEMO_PORT), default 3001
  --host ADDRESS  where it listens, default 127.0.0.1; 0.0.0.0 for functions that run in containers
  --data DIR      keep its state in DIR; default: in memory
  --no-faults     it behaves
  --help          this
`;

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof LocalError ? `${error.code}: ${error.message}` : ((error as Error).stack ?? error)}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { values } = options();
  if (values.help) return void process.stdout.write(HELP);
  const port = values['demo-port'] ?? (process.env.HOLDFAST_DEMO_PORT || '3001');
  if (!/^\d+$/.test(port) || Number(port) > 65_535) {
    throw new LocalError('E_OPTION', `--demo-port must be a port from 0 to 65535, not ${JSON.stringify(port)}`);
  }
  const api = await startDemoApi({
    port: Number(port),
    ...(values.host ? { host: values.host } : {}),
    ...(values.data ? { data: values.data } : {}),
    faults: values['no-faults'] ? 'off' : 'on',
  });
  const end = () => void api.stop().then(() => process.exit(0));
  process.once('SIGINT', end).once('SIGTERM', end);
  process.stdout.write(`demo API on ${api.url}, until Ctrl-C\n`);
  for (const name of APIS) process.stdout.write(`  ${api.url}/${name}\n`);
  process.stdout.write(`  ${api.url}/_demo/stats   what it was asked, and which faults it made of it\n`);
}

function options() {
  try {
    return parseArgs({
      strict: true,
      allowPositionals: false,
      options: {
        help: { type: 'boolean', short: 'h' },
        'demo-port': { type: 'string' },
        host: { type: 'string' },
        data: { type: 'string' },
        'no-faults': { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new LocalError('E_OPTION', `${(error as Error).message}\n\n${HELP}`, { cause: error });
  }
}
