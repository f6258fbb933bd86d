/**
 * `npm run check:readme`: type-checks every TypeScript block of the README and the docs, then clones the last commit into a temporary
 * folder and runs the README's shell blocks there in order, as written: first those for this machine, then, when what they started has
 * ended, those marked `localstack`, which install MiniStack from PyPI. `--types` or `--shell` does only the one.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Block, codeBlocks } from './blocks.ts';
import { freePorts } from './ports.ts';
import { answers } from './process.ts';
import { runBlocks } from './shell.ts';
import { checkTypes } from './types.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** How this machine reaches its registry stays; what npm says of the script it is running goes. */
const SET_BY_NPM = /^(INIT_CWD$|npm_(?!config_(registry|cache|userconfig|globalconfig|cafile|strict_ssl|noproxy|proxy|https_proxy)$))/i;

const say = (text: string) => void process.stdout.write(text);

const { values } = parseArgs({ options: { types: { type: 'boolean' }, shell: { type: 'boolean' } } });
const everything = values.types === values.shell;

try {
  if (everything || values.types) types();
  if (everything || values.shell) await shell();
} catch (error) {
  process.stderr.write(`\n${(error as Error).message}\n`);
  process.exitCode = 1;
}

function types(): void {
  const pages = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'));
  const paths = ['README.md', 'CONTRIBUTING.md', ...pages.sort().map((name) => join('docs', name))];
  const { blocks, complaint } = checkTypes(
    ROOT,
    paths.map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') })),
  );
  if (complaint !== '') throw new Error(`TypeScript blocks that do not type-check:\n${complaint}`);
  say(`${blocks} TypeScript blocks of ${paths.length} documents type-check\n`);
}

async function shell(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-readme-'));
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  process.once('exit', remove);
  try {
    const clone = join(folder, 'holdfast');
    execFileSync('git', ['clone', '--quiet', '--no-hardlinks', ROOT, clone], { stdio: ['ignore', 'inherit', 'inherit'] });
    const blocks = codeBlocks(readFileSync(join(clone, 'README.md'), 'utf8')).filter(({ language }) => language === 'sh');
    const [port, awsPort, demoPort, emulatorPort] = await freePorts(4);
    const began = performance.now();
    const env = { ...newUser(), HOLDFAST_PORT: `${port}`, HOLDFAST_AWS_PORT: `${awsPort}`, HOLDFAST_DEMO_PORT: `${demoPort}` };
    const onEmulator = (block: Block) => block.flags.includes('localstack');
    await runBlocks(
      blocks.filter((block) => !onEmulator(block)),
      { cwd: clone, env, ready: () => answers(`http://127.0.0.1:${port}/healthz`), say },
    );
    const emulator = `http://localhost:${emulatorPort}`;
    await runBlocks(blocks.filter(onEmulator), {
      cwd: clone,
      // What a user finds at the usual port.
      env: { ...env, GATEWAY_PORT: `${emulatorPort}`, AWS_ENDPOINT_URL: emulator },
      ready: ({ code }) => answers(/ministack/.test(code) ? `${emulator}/_localstack/health` : `http://127.0.0.1:${demoPort}/_demo/stats`),
      say,
    });
    say(`\nall ${blocks.length} shell blocks of the README ran as written, ${((performance.now() - began) / 1_000).toFixed(0)} s\n`);
  } finally {
    remove();
  }
}

/** The environment without what this very script was started with: npm's variables, and this project's binaries. */
function newUser(): Record<string, string | undefined> {
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.startsWith(ROOT) && !folder.includes('node-gyp-bin'));
  const rest = Object.entries(process.env).filter(
    ([name]) => !SET_BY_NPM.test(name) && !/^(HOLDFAST_|AWS_|NODE_ENV$|NODE_OPTIONS$)/.test(name),
  );
  return { ...Object.fromEntries(rest), PATH: path.join(delimiter) };
}
