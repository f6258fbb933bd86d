/**
 * `npm run check:outside`: Holdfast as those see it who did not write it. Starts `npm start`, sends a sample message with AWS's own
 * command line, and reads the run and its journal with curl until it has succeeded. Every command is printed as one would type it.
 * Needs Python 3 with venv, curl, and PyPI the first time.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runId } from 'holdfast';
import { freePorts } from '../readme/ports.ts';
import { answers, type Running, startShell, stop, untilReady } from '../readme/process.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const AWSCLI = 'awscli==1.46.2';
const VENV = '.holdfast/outside/venv';
const AWS = `${VENV}/bin/aws`;
const SAMPLE = 'events/onboard-customer.json';
const PATIENCE_MS = 90_000;

const say = (text: string) => void process.stdout.write(text);
const env: Record<string, string | undefined> = { ...process.env };

/** Types a command and gives what it prints. `quiet`: its output is shown by the caller. */
async function type(command: string, { quiet = false } = {}): Promise<string> {
  say(`\n$ ${command}\n`);
  let out = '';
  const running = startShell(command, {
    cwd: ROOT,
    env,
    print(text) {
      out += text;
      if (!quiet) say(text);
    },
  });
  const how = await running.ended;
  if (how !== 0) throw new Error(`"${command}" ended with ${how}. Its output:\n${running.output()}`);
  return out;
}

function expect(fact: boolean, otherwise: string): void {
  if (!fact) throw new Error(otherwise);
}

type Run = {
  id: string;
  status: string;
  idempotencyKey: string;
  links: { self: string; journal: string };
  result?: { created: boolean; account: string };
};
type Journal = { items: Array<{ type: string; label?: string; at: string; effect?: string; attempts?: unknown[] }> };

async function installAws(): Promise<void> {
  if (!existsSync(join(ROOT, AWS))) {
    await type(`python3 -m venv ${VENV}`);
    await type(`${VENV}/bin/pip install --quiet --disable-pip-version-check ${AWSCLI}`);
  }
  await type(`${AWS} --version`);
}

async function startAndFollow(ports: { http: number; aws: number }): Promise<void> {
  const aws = `${AWS} --endpoint-url http://127.0.0.1:${ports.aws}`;
  const api = `http://127.0.0.1:${ports.http}`;
  const curl = `curl --silent --show-error --fail-with-body -H 'Authorization: Bearer local-dev'`;

  const url = (await type(`${aws} sqs get-queue-url --queue-name holdfast-local-start --query QueueUrl --output text`)).trim();
  const sent = await type(`${aws} sqs send-message --queue-url ${url} --message-body file://${SAMPLE}`);
  expect(typeof (JSON.parse(sent) as { MessageId?: unknown }).MessageId === 'string', 'send-message gave no MessageId');

  const sample = JSON.parse(readFileSync(join(ROOT, SAMPLE), 'utf8')) as { workflow: string; idempotencyKey: string };
  const id = runId('default', sample.workflow, sample.idempotencyKey);
  const run = await ended(id, `${curl} '${api}/v1/runs/${id}?wait=20'`);
  say(`${JSON.stringify(run, null, 2)}\n`);
  expect(run.status === 'succeeded', `the run is ${run.status}`);
  expect(run.idempotencyKey === sample.idempotencyKey, `the run has the key ${run.idempotencyKey}`);
  expect(run.result?.created === true, 'the run has not created an account');

  const journal = JSON.parse(await type(`${curl} ${api}${run.links.journal}`, { quiet: true })) as Journal;
  for (const { type: kind, label = '', at, effect, attempts = [] } of journal.items) {
    say(
      `${at}  ${kind.padEnd(8)}${label}${effect === undefined ? '' : ` (${effect})`}${attempts.length > 1 ? `, ${attempts.length} attempts` : ''}\n`,
    );
  }
  for (const [effect, label] of [
    ['keyed', 'POST billing /accounts'],
    ['unsafe', 'POST mailer /messages'],
  ]) {
    const of = (type: string) => journal.items.findIndex((item) => item.type === type && item.label === label);
    expect(of('start') >= 0 && of('start') < of('done'), `the journal has no START of ${label} before its result`);
    expect(journal.items[of('start')]?.effect === effect, `${label} is not ${effect}`);
  }
  const listed = await type(`${curl} '${api}/v1/runs?workflow=${sample.workflow}&status=succeeded&limit=200'`, { quiet: true });
  expect(listed.includes(id), 'the list of runs does not have it');

  say(`\n$ curl --silent -o /dev/null -w '%{http_code}' ${api}/v1/runs/${id}\n`);
  const refused = (await fetch(`${api}/v1/runs/${id}`)).status;
  say(`${refused}\n`);
  expect(refused === 401, `without a token the answer is ${refused}`);
}

/** A run that is not there yet is one whose message still waits. */
async function ended(id: string, command: string): Promise<Run> {
  for (const until = performance.now() + PATIENCE_MS; ; ) {
    let run: Run | undefined;
    try {
      run = JSON.parse(await type(command, { quiet: true })) as Run;
    } catch (error) {
      if (!(error as Error).message.includes('E_UNKNOWN_RUN')) throw error;
    }
    say(`${run?.status ?? 'not there yet'}\n`);
    if (run && ['succeeded', 'failed', 'cancelled'].includes(run.status)) return run;
    if (performance.now() > until) throw new Error(`run ${id} has not ended after ${PATIENCE_MS / 1_000} s`);
    await new Promise((done) => setTimeout(done, 500));
  }
}

let cloud: Running | undefined;
try {
  const began = performance.now();
  await installAws();
  const [http, aws, demo] = (await freePorts(3)) as [number, number, number];
  const command = `npm start -- --port ${http} --aws-port ${aws} --demo-port ${demo}`;
  Object.assign(env, { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local', AWS_DEFAULT_REGION: 'us-east-1', AWS_PAGER: '' });
  say(`\n$ ${command} &\n`);
  cloud = startShell(command, { cwd: ROOT, env });
  const up = cloud;
  await untilReady(up, () => answers(`http://127.0.0.1:${http}/healthz`)).catch((error: Error) => {
    throw new Error(`npm start ${error.message}. Its output:\n${up.output()}`);
  });
  say('\n$ export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=us-east-1\n');
  await startAndFollow({ http, aws });
  say(`\nFrom outside all is as it should be, ${((performance.now() - began) / 1_000).toFixed(0)} s\n`);
} catch (error) {
  process.stderr.write(`\n${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  if (cloud) await stop(cloud);
}
