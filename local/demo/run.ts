/** The demo: sends the sample messages, shows their runs going on, and ends in a table of results. Owns the order of things alone. */
import { followExamples, judgeExamples, readExamples } from './examples.ts';
import { demoCounts, httpApi } from './http-api.ts';
import { readMessages } from './messages.ts';
import { sendAll } from './queue.ts';
import { progressLine, report } from './report.ts';
import { judge } from './verdict.ts';
import { watch } from './watch.ts';

export type DemoRunOptions = {
  /** Where the AWS API answers. */
  awsUrl: string;
  /** Where Holdfast's HTTP API answers. */
  apiUrl: string;
  token: string;
  startQueueUrl: string;
  /** Where the demo API answers. */
  demoUrl: string;
  /** The program ends with the demo: said at its end otherwise. */
  once: boolean;
  out: NodeJS.WritableStream;
  /** Another file of samples, without the other examples. */
  events?: string;
};

const EVERY_MS = 500;
/** Without a terminal a line is written only this often. */
const PLAIN_EVERY_MS = 2_000;
const PATIENCE_MS = 120_000;

/** `ok`: every message came to its expected end, and each effect happened exactly once. */
export async function runDemo(options: DemoRunOptions): Promise<{ ok: boolean }> {
  const { out } = options;
  const messages = readMessages(options.events);
  const examples = options.events === undefined ? readExamples() : [];
  const api = httpApi(options.apiUrl, options.token);
  const demo = demoCounts(options.demoUrl);
  const line = statusLine(out);
  const began = performance.now();
  await sendAll(
    { awsUrl: options.awsUrl, queueUrl: options.startQueueUrl },
    // The examples first: they are the longest.
    [...examples, ...messages].map(({ text }) => text),
    (sent) => line.show(`${sent} of ${examples.length + messages.length} messages sent`),
  );
  const seen = await watch({
    api,
    workflow: 'onboard-customer',
    runs: [...new Set(messages.flatMap(({ run }) => run ?? []))],
    letters: messages.filter(({ expect }) => expect === 'dead-letter').map(({ text }) => text),
    every: EVERY_MS,
    patience: PATIENCE_MS,
    progress: (now) => line.show(progressLine({ sent: messages.length, ...now })),
  });
  const ends = await followExamples(api, examples, { every: EVERY_MS, patience: PATIENCE_MS, progress: (text) => line.show(text) });
  line.end();
  const [effects, stats, site] = await Promise.all([demo.effects(), demo.stats(), demo.site()]);
  const verdict = judge(messages, seen, effects, stats);
  out.write(`\n${report(verdict, performance.now() - began)}`);
  const others = judgeExamples(ends, { effects, site });
  out.write([...others.lines, ...others.problems.map((problem) => `  not as expected: ${problem}`)].map((text) => `${text}\n`).join(''));
  if (!options.once)
    out.write(`\nIt stays up: ${options.apiUrl}/v1/runs?workflow=onboard-customer (token ${options.token}); Ctrl-C ends it.\n`);
  return { ok: verdict.ok && others.problems.length === 0 };
}

/** One line that is written over on a terminal; lines now and then elsewhere. */
function statusLine(out: NodeJS.WritableStream): { show(text: string): void; end(): void } {
  const terminal = (out as Partial<NodeJS.WriteStream>).isTTY === true;
  const width = (out as Partial<NodeJS.WriteStream>).columns ?? 80;
  let last = Number.NEGATIVE_INFINITY;
  let pending: string | undefined;
  return {
    show(text) {
      if (terminal) out.write(`\r\u001b[2K${text.slice(0, width - 1)}`);
      else if (performance.now() - last >= PLAIN_EVERY_MS) {
        last = performance.now();
        pending = undefined;
        out.write(`${text}\n`);
      } else pending = text;
    },
    end() {
      if (terminal) out.write('\n');
      else if (pending !== undefined) out.write(`${pending}\n`);
    },
  };
}
