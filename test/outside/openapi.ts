/**
 * `npm run check:openapi`: the HTTP API as a client sees it that knows nothing but its document. Starts `npm start`, lets
 * Schemathesis make requests of /openapi.json, valid ones and others, and holds every answer against it: first of the document as
 * it is, then with the names of what is really there in it. Needs Python 3 with venv (PYTHON names one), and PyPI the first time.
 * Python 3.12 or newer: under some of 3.11 the tool stops by a fault of the interpreter (CPython issue 106905).
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../readme/ports.ts';
import { answers, type Running, startShell, stop, untilReady } from '../readme/process.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const SCHEMATHESIS = 'schemathesis==4.32.5';
/** Ignored by git; Schemathesis leaves notes of its own in it. */
const FOLDER = '.holdfast/openapi';
const VENV = `${FOLDER}/venv`;
const ST = `${VENV}/bin/st`;
const TOKEN = 'local-dev';
const MIN_CASES = 1_000;
const SEED = 4;

/** Not among them: whether valid requests succeed. An input is valid by the schema of its workflow, and an id by what is there. */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'response_headers_conformance',
  'negative_data_rejection',
  'unsupported_method',
  'allow_header_conformance',
  'ignored_auth',
  'use_after_free',
];

/** What is started, for there to be runs. */
const WORKFLOW = 'onboard-customer';
const RUNS = 12;

const say = (text: string) => void process.stdout.write(text);
const work = mkdtempSync(join(tmpdir(), 'holdfast-openapi-'));

/** Types a command, and gives what it printed last. Throws when it ends with anything but 0. */
async function type(command: string): Promise<string> {
  say(`\n$ ${command}\n`);
  const running = startShell(command, { cwd: ROOT, env: process.env, print: say });
  const how = await running.ended;
  if (how !== 0) throw new Error(`"${command}" ended with ${how}`);
  return running.output();
}

async function install(): Promise<void> {
  if (!existsSync(join(ROOT, ST))) {
    mkdirSync(join(ROOT, FOLDER), { recursive: true });
    await type(`${process.env.PYTHON || 'python3'} -m venv ${VENV}`);
    await type(`${VENV}/bin/pip install --quiet --disable-pip-version-check ${SCHEMATHESIS}`);
  }
  await type(`${ST} --version`);
}

/** How many cases there were. Throws when something was found. */
async function drive(schema: string, url: string, examples: number): Promise<number> {
  const options = [
    `--url ${url}`,
    `-H 'Authorization: Bearer ${TOKEN}'`,
    `--checks ${CHECKS.join(',')}`,
    `--max-examples ${examples}`,
    `--seed ${SEED}`,
    '--workers 2',
    '--request-timeout 30',
    '--continue-on-failure',
    '--no-shrink',
    '--no-color',
  ];
  const output = await type(
    `cd ${FOLDER} && SCHEMATHESIS_HOOKS=../../test/outside/ndjson_hooks.py venv/bin/st run ${schema} ${options.join(' ')}`,
  );
  const made = /^\s*(\d+) generated, (\d+) passed/m.exec(output);
  if (!made || made[1] !== made[2]) throw new Error(`not all of the cases passed: ${made?.[0] ?? 'none were counted'}`);
  return Number(made[1]);
}

type Parameter = { name: string; in: string; schema: object };
type Body = { content: Record<string, { schema: object }> };
type Document = { paths: Record<string, Record<string, { parameters: Parameter[]; requestBody?: Body }>> };

async function ask<T>(url: string, init: RequestInit = {}): Promise<T> {
  const answer = await fetch(url, { ...init, headers: { authorization: `Bearer ${TOKEN}`, ...init.headers } });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as T;
}

/** The document, with what is there in place of what could be: by it requests get beyond "there is no such run". */
async function narrowed(api: string): Promise<Document> {
  const document = await ask<Document>(`${api}/openapi.json`);
  const { input } = await ask<{ input: object }>(`${api}/v1/workflows/${WORKFLOW}`);
  const start = (seats: number) =>
    ask<{ id: string }>(`${api}/v1/workflows/${WORKFLOW}/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'wait=1' },
      // Some have ended by then, and some wait for the end of a trial.
      body: JSON.stringify({ domain: `openapi-${seats}.example`, seats, trial: seats % 2 === 0 ? '100ms' : '1h' }),
    });
  const runs = await Promise.all(Array.from({ length: RUNS }, (_, i) => start(i + 1)));
  const there: Record<string, object> = {
    workflow: { type: 'string', enum: [WORKFLOW] },
    run: { type: 'string', enum: runs.map(({ id }) => id) },
    seq: { type: 'integer', minimum: 0, maximum: 12 },
  };
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const { parameters, requestBody } of Object.values(methods)) {
      for (const parameter of parameters) if (parameter.in === 'path') parameter.schema = there[parameter.name] ?? parameter.schema;
      const json = requestBody?.content['application/json'];
      if (json && path.endsWith('/runs')) json.schema = input;
      const lines = requestBody?.content['application/x-ndjson'];
      if (lines) lines.schema = { type: 'string', enum: ['{', '\n \r\n', '{"domain":"a.example","seats":1}\n{"seats":"x"}\n\n{'] };
    }
  }
  return document;
}

let cloud: Running | undefined;
try {
  const began = performance.now();
  await install();
  const [http, aws, demo] = (await freePorts(3)) as [number, number, number];
  const command = `npm start -- --port ${http} --aws-port ${aws} --demo-port ${demo}`;
  say(`\n$ ${command} &\n`);
  cloud = startShell(command, { cwd: ROOT, env: process.env });
  const up = cloud;
  const url = `http://127.0.0.1:${http}`;
  await untilReady(up, () => answers(`${url}/healthz`)).catch((error: Error) => {
    throw new Error(`npm start ${error.message}. Its output:\n${up.output()}`);
  });
  const cases = await drive(`${url}/openapi.json`, url, 60);
  const there = join(work, 'openapi.json');
  writeFileSync(there, JSON.stringify(await narrowed(url)));
  const more = await drive(there, url, 30);
  say(
    `\nFrom outside the API is as its document says: ${cases} cases, and ${more} more about what is there, ${((performance.now() - began) / 1_000).toFixed(0)} s\n`,
  );
  if (cases < MIN_CASES) throw new Error(`only ${cases} cases were made, fewer than ${MIN_CASES}`);
} catch (error) {
  process.stderr.write(`\n${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  if (cloud) await stop(cloud);
  rmSync(work, { recursive: true, force: true });
}
