/** Checks of the ports that `npm start` takes: free, or taken by Holdfast itself, or by something else. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type Finding, fail, ok, type Patient, warn } from './finding.ts';

type Port = { check: string; what: string; fallback: number; variable: string; flag: string; health: string; emulator?: string };

const PORTS: readonly Port[] = [
  { check: 'port of the HTTP API', what: 'the HTTP API', fallback: 3000, variable: 'HOLDFAST_PORT', flag: '--port', health: '/healthz' },
  {
    check: 'port of the demo API',
    what: 'the demo API',
    fallback: 3001,
    variable: 'HOLDFAST_DEMO_PORT',
    flag: '--demo-port',
    health: '/_demo/stats',
  },
  {
    check: 'port of the AWS API',
    what: 'the AWS API',
    fallback: 4566,
    variable: 'HOLDFAST_AWS_PORT',
    flag: '--aws-port',
    health: '/_holdfast/health',
    emulator: '/_localstack/health',
  },
];
const PATIENCE_MS = 3_000;

export const checkPorts = ({ outside: { env } }: Patient): Promise<Finding[]> =>
  Promise.all(PORTS.map((port) => checkPort(port, Number(env[port.variable] || port.fallback))));

async function checkPort({ check, what, variable, flag, health, emulator }: Port, number: number): Promise<Finding> {
  const problem = await tryPort(number);
  if (problem === undefined) return ok(check, `${number} is free`);
  const other = `Start with another: ${flag} or ${variable}`;
  if (problem === 'EACCES') return fail(check, `${number} may not be used by this user`, other);
  if (await answers(number, health)) return ok(check, `${what} of Holdfast runs at ${number}`);
  if (emulator !== undefined && (await answers(number, emulator))) {
    return warn(check, `LocalStack is at ${number}: npm start would not find its place`, `${other}; or use it: --stage localstack`);
  }
  return fail(check, `${number} is taken by another process (${problem})`, `${other}; or end what is there: lsof -i :${number}`);
}

/** Undefined: it could be listened at. */
async function tryPort(port: number): Promise<string | undefined> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  } finally {
    server.close();
  }
}

async function answers(port: number, path: string): Promise<boolean> {
  try {
    const { ok: good, body } = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    await body?.cancel();
    return good;
  } catch {
    return false;
  }
}
