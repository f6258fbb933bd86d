/** The settings of a deployed function, from its environment: read once, every fault named at start-up. Pure. */
import { HoldfastError } from '../engine/errors.ts';
import { type Env, endpointOf, queueUrlAt } from './endpoints.ts';

export type SecretsLocation = { kind: 'env-file'; path: string } | { kind: 'secrets-manager'; prefix: string };

export type Settings = {
  stage: string;
  runsTable: string;
  connectionsTable: string;
  startQueueUrl: string;
  wakeQueueUrl: string;
  payloadsBucket: string;
  secrets: SecretsLocation;
  /** CIDRs that the address guard lets through although they are not public. */
  allow: readonly string[];
  functionTimeoutMs: number;
  /** Lower-case hex SHA-256 of each API token. */
  apiTokenHashes: readonly string[];
  retentionDays: number;
  /** How many of it may run at once: what each may take of a limit when they cannot agree. */
  instances: number;
};

const RETENTION_DAYS = 30;
const INSTANCES = 10;
/** As many as an account can be given. */
const MOST_INSTANCES = 100_000;
/** Lambda's own limits. */
const SHORTEST_TIMEOUT_MS = 1_000;
const LONGEST_TIMEOUT_MS = 900_000;

/** Throws `E_BAD_OPTION` that names every variable at fault and what it must be. */
export function readSettings(env: Env): Settings {
  const faults: { field: string; problem: string }[] = [];
  const fault = (field: string, problem: string) => void faults.push({ field, problem });

  const required = (field: string, what: string): string => {
    const value = env[field]?.trim();
    if (!value) fault(field, `is not set: ${what}`);
    return value ?? '';
  };
  const queue = (field: string, what: string): string => {
    const value = required(field, `the URL of the ${what}`);
    if (!value) return '';
    if (!URL.canParse(value)) {
      fault(field, `is not a URL: ${value}`);
      return '';
    }
    return queueUrlAt(value, endpointOf(env, 'SQS'));
  };
  const whole = (field: string, value: string, low: number, high: number): number => {
    const number = Number(value);
    if (value && !(Number.isSafeInteger(number) && number >= low && number <= high)) {
      fault(field, `must be a whole number from ${low} to ${high}, not ${value}`);
    }
    return number;
  };
  const list = (field: string, valid: RegExp, what: string): string[] => {
    const items = (env[field] ?? '')
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean);
    for (const item of items) if (!valid.test(item)) fault(field, `holds ${JSON.stringify(item)}, which is not ${what}`);
    return items;
  };
  const secrets = (): SecretsLocation => {
    const value = required('HOLDFAST_SECRETS', 'env-file:<path> or secrets-manager:<prefix>');
    const [kind, rest] = [value.slice(0, value.indexOf(':')), value.slice(value.indexOf(':') + 1)];
    if (kind === 'env-file' && rest) return { kind, path: rest };
    if (kind === 'secrets-manager') return { kind, prefix: rest };
    if (value) fault('HOLDFAST_SECRETS', `must be env-file:<path> or secrets-manager:<prefix>, not ${value}`);
    return { kind: 'env-file', path: '' };
  };

  const settings: Settings = {
    stage: required('HOLDFAST_STAGE', 'the name of the stage'),
    runsTable: required('HOLDFAST_RUNS_TABLE', 'the name of the table of runs'),
    connectionsTable: required('HOLDFAST_CONNECTIONS_TABLE', 'the name of the table of connections'),
    startQueueUrl: queue('HOLDFAST_START_QUEUE_URL', 'start queue'),
    wakeQueueUrl: queue('HOLDFAST_WAKE_QUEUE_URL', 'wake queue'),
    payloadsBucket: required('HOLDFAST_PAYLOADS_BUCKET', 'the name of the bucket of payloads'),
    secrets: secrets(),
    allow: list('HOLDFAST_ALLOW', /^[\da-f.:]+\/\d{1,3}$/i, 'a CIDR such as 10.1.0.0/16'),
    functionTimeoutMs: whole(
      'HOLDFAST_FUNCTION_TIMEOUT_MS',
      required('HOLDFAST_FUNCTION_TIMEOUT_MS', "the function's timeout in milliseconds"),
      SHORTEST_TIMEOUT_MS,
      LONGEST_TIMEOUT_MS,
    ),
    apiTokenHashes: list('HOLDFAST_API_TOKEN_SHA256', /^[\da-f]{64}$/i, 'a SHA-256 in hex').map((hash) => hash.toLowerCase()),
    retentionDays: whole('HOLDFAST_RETENTION_DAYS', env.HOLDFAST_RETENTION_DAYS?.trim() || String(RETENTION_DAYS), 1, 3_650),
    instances: whole('HOLDFAST_INSTANCES', env.HOLDFAST_INSTANCES?.trim() || String(INSTANCES), 1, MOST_INSTANCES),
  };
  if (faults.length > 0) {
    throw new HoldfastError('E_BAD_OPTION', faults.map(({ field, problem }) => `${field} ${problem}`).join('; '), {
      detail: { field: faults[0]!.field, fields: faults.map(({ field }) => field) },
    });
  }
  return settings;
}
