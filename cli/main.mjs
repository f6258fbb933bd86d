#!/usr/bin/env node
/**
 * `npx holdfast`: looks at the Node it was started with, says what to do if that cannot be used, and hands over to program.ts.
 * Plain JavaScript that Node 14 can read, because an old Node must get to the sentence that says it is too old.
 */
// biome-ignore-start lint/style/useNodejsImportProtocol: Node 14 knows no `node:`.
import { spawn } from 'child_process';
import { existsSync, readFileSync } from 'fs';
import { dirname, join } from 'path';
import { fileURLToPath } from 'url';

// biome-ignore-end lint/style/useNodejsImportProtocol: as above.

/** The first that runs TypeScript as it is and has everything that the functions use. */
const RUNS_TYPESCRIPT = 24;
const NOT_CONFIGURED = 3;

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const version = process.versions.node;
const major = Number(version.split('.')[0]);

/** @param {string} problem @param {string} remedy */
function refuse(problem, remedy) {
  process.stderr.write(`holdfast: ${problem}\n  ${remedy}\n`);
  process.exitCode = NOT_CONFIGURED;
}

function oldestNode() {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const [oldest] = /\d+/.exec(engines.node) || ['0'];
  return Number(oldest);
}

/** The Node of the lockfile: package.json has it as a dependency, so that nobody must install one. */
function ownNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  return [join(root, 'node_modules', 'node', 'bin', name), join(root, 'node_modules', '.bin', name)].find((file) => existsSync(file));
}

/** @param {string} node */
function handOver(node) {
  const child = spawn(node, [join(here, 'main.mjs'), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, HOLDFAST_CLI_NODE: version },
  });
  // Ctrl-C reaches both: it is the other one that knows what to do about it.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('error', (error) => refuse(`${node} cannot be started: ${error.message}`, 'Install it anew: npm ci'));
  child.on('close', (code, signal) => {
    if (code !== null) process.exitCode = code;
    else process.exitCode = signal === 'SIGINT' ? 130 : 1;
  });
}

const oldest = oldestNode();
if (major < oldest) {
  refuse(
    `Node ${version} is too old: it takes ${oldest} or newer`,
    `Install a newer one (nodejs.org, or \`nvm install ${RUNS_TYPESCRIPT}\`), then: npm ci`,
  );
} else if (!existsSync(join(root, 'node_modules', 'commander'))) {
  refuse('its dependencies are not installed', `Install them: npm ci (in ${root})`);
} else if (major >= RUNS_TYPESCRIPT) {
  import('./program.ts')
    .then(({ main }) => main())
    .catch((error) => {
      process.stderr.write(`holdfast: ${error.stack}\n`);
      process.exitCode = 1;
    });
} else {
  const node = ownNode();
  if (node) handOver(node);
  else refuse(`Node ${version} does not run TypeScript, and the project's own Node is not installed`, 'Install it: npm ci');
}
