/** `npm start`: reads the command line, and says what went wrong. */
import { LocalError } from './errors.ts';
import { HELP, readOptions } from './options.ts';

try {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.help) process.stdout.write(HELP);
  // Loaded only now: a mistyped option is answered at once.
  else await (await import('./up.ts')).up(options);
} catch (error) {
  const known = error instanceof LocalError;
  process.stderr.write(`${known ? `${error.code}: ${error.message}` : ((error as Error).stack ?? error)}\n`);
  // Not waiting for what may still be going on, a synthesis say.
  process.exit(1);
}
