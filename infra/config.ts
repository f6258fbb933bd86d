/**
 * What a stage is: its settings, their limits and defaults, and the errors that name file and field.
 * Knows nothing of CDK, and nothing of what is deployed.
 */
import * as z from 'zod';

export const CONFIG_FILE = 'holdfast.config.ts';

export type Fault = { file: string; field: string; problem: string };

/** Something in the project's own files that cannot be deployed. One line for each fault: file, field, what to do. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly Fault[];
  constructor(faults: readonly Fault[]) {
    // Errors of the library begin with their field.
    super(faults.map(({ file, field, problem }) => `${file}: ${problem.startsWith(field) ? '' : `${field}: `}${problem}`).join('\n'));
    this.faults = faults;
  }
}

export type StageConfig = {
  /** What differs by stage: `vars('crm')` in a connection reads `vars.crm` here. Names of letters, digits, `-` and `_`. */
  vars?: Record<string, string>;
  worker?: {
    /** MB, 128–10240, default 1024. CPU comes with it: a whole one at 1769. */
    memory?: number;
    /** Seconds, 1–900, default 180. No single attempt of a call may take longer. */
    timeout?: number;
    /** `throughput` gathers up to 100 messages for a second before a function is invoked; default is 10 and no waiting. */
    profile?: 'default' | 'throughput';
    /** Messages per invocation: 1–10, with the throughput profile 1–10000. */
    batchSize?: number;
    /** Invocations at once for each of the two queues, 2–1000, default 10. */
    maximumConcurrency?: number;
  };
  /** Days that a finished run keeps its journal, 1–3650, default 30. */
  retentionDays?: number;
  /** Days after which a body in S3 is deleted, whatever became of its run: more than your longest run. Default: retention and a year. */
  payloadDays?: number;
  /** CIDRs that calls may go to although they are not public. Default none. */
  allow?: readonly string[];
  /** `env-file:<path>`, of a disposable stage, or `secrets-manager:<prefix>/`. Default: the latter with `holdfast/<stage>/`. */
  secrets?: string;
  auth: {
    /** SHA-256 of each API token as 64 hex digits, or the environment variable that holds them (comma separated) at synthesis. */
    tokenHashes: readonly string[] | { env: string };
  };
  api?: {
    /** Requests a second that the HTTP API takes, 1–10000, default 100: more are answered 429 before a function is paid for. */
    requestsPerSecond?: number;
    /** Requests that may come at once, 1–5000, default 200. */
    burst?: number;
  };
  /** Days that logs of functions are kept, one of those that CloudWatch knows (1, 3, 5, 7, 14, 30, 60, 90, 180, 365, …), default 30. */
  logRetentionDays?: number;
  /** Not for disposable stages, which nobody watches. */
  alarms?: {
    /** Who is told: a topic of the stage's own with this address as subscriber. Its key costs $1 a month. */
    email?: string;
    /** An existing SNS topic that is told instead. */
    topicArn?: string;
    /** `essential`: one alarm for each thing that can go wrong. `full`: also their causes, function by function, at $0.10 a month each. */
    coverage?: 'essential' | 'full';
    /** Runs that may fail in five minutes without anybody being told, 0–1000000, default 10. */
    failedRuns?: number;
  };
  /** A CloudWatch dashboard: $3 a month, the first three of an account are free. Default false. */
  dashboard?: boolean;
  /** Everything goes with the stack: for stages without data of value. Default false. */
  disposable?: boolean;
};

export type Config = { stages: Record<string, StageConfig> };

/** A stage with everything filled in. */
export type Stage = {
  name: string;
  vars: Readonly<Record<string, string>>;
  worker: { memory: number; timeout: number; batchSize: number; batchWindow: number; maximumConcurrency: number };
  retentionDays: number;
  payloadDays: number;
  allow: readonly string[];
  secrets: string;
  tokenHashes: readonly string[];
  api: { requestsPerSecond: number; burst: number };
  logRetentionDays: number;
  alarms: {
    email?: string | undefined;
    topicArn?: string | undefined;
    coverage: 'essential' | 'full';
    failedRuns: number;
  };
  dashboard: boolean;
  disposable: boolean;
};

const PROFILES = {
  default: { batchSize: 10, batchWindow: 0 },
  throughput: { batchSize: 100, batchWindow: 1 },
} as const;
/** SQS hands over more only to those who wait. */
const MOST_WITHOUT_WINDOW = 10;
/** Runs that wait for months keep what they have read. */
const LONGEST_RUN_DAYS = 365;
/** CloudWatch keeps logs for these numbers of days and no others. */
const LOG_DAYS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1_096, 1_827, 2_192, 2_557, 2_922, 3_288, 3_653];

/** Types the configuration and gives it back as it is; `resolveStage` checks it. */
export const defineConfig = (config: Config): Config => config;

const whole = (low: number, high: number, unit: string) => {
  const error = `must be a whole number of ${unit} from ${low} to ${high}`;
  return z.int({ error }).min(low, { error }).max(high, { error });
};
const text = (pattern: RegExp, error: string) => z.string({ error }).regex(pattern, { error });

const flag = () => z.boolean({ error: 'must be true or false' }).default(false);
const LOG_DAYS_HINT = `must be a number of days that CloudWatch knows: ${LOG_DAYS.join(', ')}`;
const TOKENS = "must be the SHA-256 of each token as 64 hex digits, never the token itself, or { env: 'NAME' }";
const TokenHash = text(/^[\da-f]{64}$/i, TOKENS);

/** What a stage may say, with its limits and defaults: docs/settings.md is held against it. */
export const StageSchema = z
  .strictObject({
    vars: z.record(z.string(), text(/./, "must be a text such as the API's URL")).default({}),
    worker: z
      .strictObject({
        memory: whole(128, 10_240, 'MB').default(1_024),
        timeout: whole(1, 900, 'seconds').default(180),
        profile: z.enum(['default', 'throughput'], { error: "must be 'default' or 'throughput'" }).default('default'),
        batchSize: whole(1, 10_000, 'messages').optional(),
        maximumConcurrency: whole(2, 1_000, 'invocations').default(10),
      })
      .prefault({}),
    retentionDays: whole(1, 3_650, 'days').default(30),
    payloadDays: whole(1, 7_300, 'days').optional(),
    allow: z.array(text(/^[\da-f.:]+\/\d{1,3}$/i, 'must be a CIDR such as 10.1.0.0/16')).default([]),
    // Without the slash, holdfast/prod would open holdfast/production as well; a wildcard would open them all.
    secrets: text(
      /^(env-file:.+|secrets-manager:[\w/+=.@-]+\/)$/,
      "must be 'env-file:<path>' or 'secrets-manager:<prefix>', a prefix of letters, digits and / _ + = . @ - that ends in /",
    ).optional(),
    auth: z.strictObject({
      tokenHashes: z.union([z.array(TokenHash).min(1, { error: TOKENS }), z.strictObject({ env: z.string().min(1) })], { error: TOKENS }),
    }),
    api: z
      .strictObject({
        requestsPerSecond: whole(1, 10_000, 'requests').default(100),
        burst: whole(1, 5_000, 'requests').default(200),
      })
      .prefault({}),
    logRetentionDays: z
      .int({ error: LOG_DAYS_HINT })
      .refine((days) => LOG_DAYS.includes(days), { error: LOG_DAYS_HINT })
      .default(30),
    alarms: z
      .strictObject({
        email: z.email({ error: 'must be an address such as ops@example.com' }).optional(),
        topicArn: text(/^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+$/, 'must be the ARN of an SNS topic that is not FIFO').optional(),
        coverage: z.enum(['essential', 'full'], { error: "must be 'essential' or 'full'" }).default('essential'),
        failedRuns: whole(0, 1_000_000, 'runs').default(10),
      })
      .prefault({}),
    dashboard: flag(),
    disposable: flag(),
  })
  .check(({ value, issues }) => {
    const fault = (path: string[], message: string) => issues.push({ code: 'custom', path, message, input: value });
    const names = Object.keys(value.vars);
    for (const [at, variable] of names.entries()) {
      if (!/^[A-Za-z][\w-]*$/.test(variable))
        fault(['vars', variable], 'its name must be letters, digits, "-" and "_", beginning with a letter');
      const same = names.slice(0, at).find((earlier) => variableName(earlier) === variableName(variable));
      if (same !== undefined) fault(['vars', variable], `is the same variable as "${same}" (${variableName(variable)}): remove one`);
    }
    if (value.worker.profile === 'default' && (value.worker.batchSize ?? 0) > MOST_WITHOUT_WINDOW) {
      fault(['worker', 'batchSize'], `is at most ${MOST_WITHOUT_WINDOW} unless worker.profile is 'throughput', which waits to gather more`);
    }
    if (value.secrets?.startsWith('env-file:') && !value.disposable) {
      fault(['secrets'], 'are in a file on a developer’s machine alone: use secrets-manager:<prefix>/ for a stage that is not disposable');
    }
    if (value.payloadDays !== undefined && value.payloadDays <= value.retentionDays) {
      fault(['payloadDays'], `must be more than retentionDays (${value.retentionDays}): a kept run would lose what it has read`);
    }
    if (value.alarms.email !== undefined && value.alarms.topicArn !== undefined) {
      fault(['alarms', 'topicArn'], 'has subscribers of its own: give it or alarms.email, not both');
    }
  });

/** Throws `ConfigError`. `env`: where token hashes may come from. */
export function resolveStage(config: Config, name: string, env: Readonly<Record<string, string | undefined>>): Stage {
  const fail = (field: string, problem: string): never => {
    throw new ConfigError([{ file: CONFIG_FILE, field, problem }]);
  };
  const stages = config?.stages ?? fail('stages', 'is missing: export default defineConfig({ stages: { … } })');
  if (!/^[a-z][a-z0-9-]{0,15}$/.test(name)) {
    fail('stages', `"${name}" cannot name a stage: use 1–16 characters of a–z, 0–9 and "-", beginning with a letter`);
  }
  const given = Object.hasOwn(stages, name)
    ? stages[name]
    : fail('stages', `there is no stage "${name}": use one of ${Object.keys(stages).join(', ')}, or add it`);
  const parsed = StageSchema.safeParse(given);
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.map((issue) => ({
        file: CONFIG_FILE,
        field: ['stages', name, ...issue.path].join('.'),
        problem: issue.code === 'unrecognized_keys' ? `has no option ${issue.keys.map((key) => `"${key}"`).join(', ')}` : issue.message,
      })),
    );
  }
  const { worker, auth, ...rest } = parsed.data;
  const profile = PROFILES[worker.profile];
  return {
    ...rest,
    name,
    worker: {
      memory: worker.memory,
      timeout: worker.timeout,
      maximumConcurrency: worker.maximumConcurrency,
      batchSize: worker.batchSize ?? profile.batchSize,
      batchWindow: profile.batchWindow,
    },
    payloadDays: rest.payloadDays ?? rest.retentionDays + LONGEST_RUN_DAYS,
    secrets: rest.secrets ?? `secrets-manager:holdfast/${name}/`,
    tokenHashes: 'env' in auth.tokenHashes ? fromEnvironment(auth.tokenHashes.env) : auth.tokenHashes,
  };

  function fromEnvironment(variable: string): string[] {
    const field = `stages.${name}.auth.tokenHashes`;
    const hashes = (env[variable] ?? '')
      .split(',')
      .map((hash) => hash.trim())
      .filter(Boolean);
    if (hashes.length === 0) {
      fail(field, `set ${variable} to the SHA-256 of your API token: printf %s "$TOKEN" | shasum -a 256`);
    }
    for (const hash of hashes) {
      if (!TokenHash.safeParse(hash).success) fail(field, `${variable} must hold SHA-256 hashes as 64 hex digits, comma separated`);
    }
    return hashes;
  }
}

/** The environment variable that `vars(name)` reads. */
export const variableName = (name: string): string => `HOLDFAST_VAR_${name.toUpperCase().replaceAll('-', '_')}`;

/** All variables of a stage, as the deployed functions get them. */
export const variables = (stage: Stage): Record<string, string> =>
  Object.fromEntries(Object.entries(stage.vars).map(([name, value]) => [variableName(name), value]));

/** What the names of a stage's secrets begin with in Secrets Manager, if that is where they are. */
export const secretsPrefix = (stage: Stage): string | undefined => /^secrets-manager:(.+)$/.exec(stage.secrets)?.[1];
