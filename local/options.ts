/** The command line of `npm start` and the variables that stand for it. Pure. */
import { parseArgs } from 'node:util';
import { LocalError } from './errors.ts';

export type StartOptions = {
  help: boolean;
  once: boolean;
  demo: boolean;
  /** Functions are built anew and replaced when the project's files change. */
  reload: boolean;
  /** One worker process with an inspector at this port. */
  inspect: number | undefined;
  data: string | undefined;
  port: number;
  awsPort: number;
  demoPort: number;
};

export const HELP = `Usage: npm start -- [options]

Runs everything on this machine: the AWS API, the HTTP API, the workers, and a demo API with sample messages.

  --once             end when all samples have: exit code 0 if each came to its expected end, 1 otherwise
  --no-demo          without the demo API and its samples
  --reload           build the functions anew when files change; tables, queues and runs in flight stay
  --inspect          one worker process with source maps and an inspector, with 15 minutes for an invocation
  --inspect-port N   inspector, default 9229
  --data DIR         keep everything in DIR across restarts (HOLDFAST_DATA); default: in memory
  --port N           HTTP API (HOLDFAST_PORT), default 3000
  --aws-port N       AWS API: SQS, DynamoDB, S3 (HOLDFAST_AWS_PORT), default 4566
  --demo-port N      demo API (HOLDFAST_DEMO_PORT), default 3001
  --help             this

A port of 0 takes a free one.
`;

/** Throws `E_OPTION`, which names the option at fault. */
export function readOptions(args: readonly string[], env: Readonly<Record<string, string | undefined>>): StartOptions {
  const { values } = parse(args);
  const port = (flag: 'port' | 'aws-port' | 'demo-port' | 'inspect-port', variable: string | undefined, fallback: number): number => {
    const [name, given] =
      values[flag] === undefined ? [variable, variable === undefined ? undefined : env[variable]] : [`--${flag}`, values[flag]];
    if (given === undefined || given === '') return fallback;
    const number = Number(given);
    if (!/^\d+$/.test(given) || number > 65_535) {
      throw new LocalError('E_OPTION', `${name} must be a port from 0 to 65535, not ${JSON.stringify(given)}`);
    }
    return number;
  };
  const data = values.data ?? env.HOLDFAST_DATA;
  if (values.data === '') throw new LocalError('E_OPTION', '--data must name a folder');
  const options: StartOptions = {
    help: values.help === true,
    once: values.once === true,
    demo: values['no-demo'] !== true,
    reload: values.reload === true,
    inspect: values.inspect === true || values['inspect-port'] !== undefined ? port('inspect-port', undefined, 9229) : undefined,
    data: data === '' ? undefined : data,
    port: port('port', 'HOLDFAST_PORT', 3000),
    awsPort: port('aws-port', 'HOLDFAST_AWS_PORT', 4566),
    demoPort: port('demo-port', 'HOLDFAST_DEMO_PORT', 3001),
  };
  if (options.once && !options.demo) throw new LocalError('E_OPTION', '--once waits for the demo to end: leave out --no-demo');
  return options;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        help: { type: 'boolean', short: 'h' },
        once: { type: 'boolean' },
        'no-demo': { type: 'boolean' },
        reload: { type: 'boolean' },
        inspect: { type: 'boolean' },
        'inspect-port': { type: 'string' },
        data: { type: 'string' },
        port: { type: 'string' },
        'aws-port': { type: 'string' },
        'demo-port': { type: 'string' },
      },
    });
  } catch (error) {
    throw new LocalError('E_OPTION', `${(error as Error).message}\n\n${HELP}`, { cause: error });
  }
}
