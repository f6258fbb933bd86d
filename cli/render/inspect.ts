/** One run as a tree: who it is, each call with its attempts and waits, how it stands, and what can be done next. Pure. */
import type { ErrorView, JournalItem, Run } from '../api-types.ts';
import type { Paint } from '../tools.ts';
import { attemptsOf, type CallEvent, type CallState, type CallView, callsOf, countOf, isSleep, type MarkView, marksOf } from './calls.ts';
import { nextSteps } from './next-steps.ts';
import { statusStyle } from './status.ts';
import { cut } from './table.ts';
import { between, clock, duration } from './time.ts';
import { attemptText, decisionText, rolledUpText, valueText } from './words.ts';

export type InspectOptions = { now: number; width: number; paint: Paint; stage: string };

const MARKS: Readonly<Record<CallState, [string, 'green' | 'red' | 'yellow' | 'dim']>> = {
  done: ['✓', 'green'],
  failed: ['✗', 'red'],
  retrying: ['…', 'yellow'],
  sent: ['→', 'dim'],
  unknown: ['?', 'red'],
  unsent: ['…', 'yellow'],
  cancelled: ['–', 'yellow'],
};

export function inspectText(run: Run, journal: readonly JournalItem[], options: InspectOptions): string {
  const calls = callsOf(journal);
  const story = [...calls, ...marksOf(journal)].sort((a, b) => a.seq - b.seq);
  const digits = String(story.at(-1)?.seq ?? 0).length;
  const lines = [
    ...headLines(run, options),
    '',
    ...(calls.length === 0 ? [options.paint('dim', 'Nothing is in its journal yet.')] : []),
    ...story.flatMap((part) => ('label' in part ? callLines(part, digits, options) : markLine(part, digits, options))),
    '',
    ...standLines(run, options),
  ];
  const steps = nextSteps(run, calls, options.stage);
  if (steps.length > 0) {
    const width = Math.max(...steps.map(({ command }) => command.length));
    lines.push('', 'What can be done:', ...steps.map(({ command, what }) => `  ${command.padEnd(width)}  ${options.paint('dim', what)}`));
  }
  return lines.join('\n');
}

function headLines(run: Run, { paint, width, now }: InspectOptions): string[] {
  const began = run.startedAt ?? run.createdAt;
  const took = run.endedAt === undefined ? `${duration(now - Date.parse(began))} so far` : `took ${duration(between(began, run.endedAt))}`;
  return [
    `${paint('bold', run.id)}  ${run.workflow} v${run.version}  ${paint(statusStyle(run.status), run.status)}`,
    `  began ${clock(began)} UTC, ${took}`,
    `  tenant ${run.tenant}, key ${run.idempotencyKey}${run.crashes > 0 ? paint('red', `, ${run.crashes} crashes in a row`) : ''}`,
    `  input ${cut(JSON.stringify(run.input) ?? '', width - 8)}`,
  ];
}

function callLines(call: CallView, digits: number, options: InspectOptions): string[] {
  const { paint, width } = options;
  const [mark, style] = MARKS[call.state];
  const attempts = attemptsOf(call);
  const indent = ' '.repeat(digits + 5);
  const only = call.events.length === 1 && attempts.length === 1 && call.state === 'done';
  const waited =
    isSleep(call) && call.state === 'done' && call.events.length > 0 ? `slept ${duration(between(call.began, call.ended))}` : '';
  const aside = only ? attemptText(attempts[0] ?? {}) : waited || (attempts.length > 1 ? `${countOf(attempts)} attempts` : '');
  const effect = call.effect === 'unsafe' || call.effect === 'keyed' ? paint('dim', ` [${call.effect}]`) : '';
  const lines = [
    `  ${String(call.seq).padStart(digits)} ${paint(style, mark)} ${call.label}${effect}${aside === '' ? '' : paint('dim', `  ${aside}`)}`,
  ];
  if (!only) {
    let n = 0;
    for (const event of call.events) {
      if (event.type === 'attempt') n += countOf([event.attempt]);
      if (waited === '' || event.type !== 'wait') lines.push(`${indent}${eventText(event, n, call, options)}`);
    }
  }
  if (call.error) lines.push(`${indent}${paint('red', cut(`${call.error.code}: ${call.error.message}`, width - indent.length))}`);
  const value =
    call.bytes === undefined ? valueText(call.value, width - indent.length - 2) : `${valueText(call.value, 60)} (${call.bytes} bytes)`;
  if (value.trim() !== '') lines.push(`${indent}${paint('dim', `= ${value}`)}`);
  return lines;
}

function markLine({ seq, type, at, from, asNew, by, why }: MarkView, digits: number, { paint }: InspectOptions): string {
  const what = type === 'cancel' ? 'cancelled' : `redriven from entry ${from}${asNew === undefined ? '' : ' as new'}`;
  return `  ${String(seq).padStart(digits)} ${paint('yellow', `${what} at ${clock(at)} UTC${by === undefined ? '' : ` by ${by}`}${why === undefined ? '' : `: ${why}`}`)}`;
}

function eventText(event: CallEvent, n: number, call: CallView, { paint }: InspectOptions): string {
  switch (event.type) {
    case 'attempt': {
      if (event.attempt.rolledUp !== undefined) return paint('dim', `… ${rolledUpText(event.attempt, call.began)}`);
      const decision = decisionText(event.attempt, call.began);
      return `${n}. ${attemptText(event.attempt)}${decision === '' ? '' : ` → ${decision}`}`;
    }
    case 'wait':
      return paint(
        'cyan',
        `put down at ${clock(event.at, call.began)} until ${clock(event.until, call.began)} (${duration(between(event.at, event.until))})`,
      );
    case 'unknown':
      return paint('red', 'sent, and nobody knows whether it happened');
    case 'unsent':
      return 'it did not happen: sent again';
    case 'redriven':
      return paint('yellow', `redriven at ${clock(event.at, call.began)}`);
  }
}

function standLines(run: Run, { paint, width, now }: InspectOptions): string[] {
  if (run.status === 'waiting' && run.wakeAt !== undefined) {
    const left = Date.parse(run.wakeAt) - now;
    return [paint('cyan', `Waits until ${clock(run.wakeAt)} UTC${left > 0 ? `, ${duration(left)} more` : ': due now'}.`)];
  }
  if (run.status === 'paused') return [paint('yellow', 'Paused, for a person to act:'), ...errorLines(run.reason, paint)];
  if (run.status === 'failed') return [paint('red', 'Failed:'), ...errorLines(run.error, paint)];
  if (run.status === 'cancelled') return [paint('yellow', 'Cancelled.'), ...errorLines(run.error, paint)];
  if (run.status === 'succeeded') return [`${paint('green', 'Succeeded:')} ${cut(JSON.stringify(run.result ?? null), width - 11)}`];
  return [`It is ${run.status}.`];
}

/** A divergence brings a diff, whose lines tell by their beginning whose they are. */
function errorLines(error: ErrorView | undefined, paint: Paint): string[] {
  if (!error) return [];
  const [first = '', ...rest] = error.message.split('\n');
  const painted = rest.map((line) => (line.startsWith('-') ? paint('red', line) : line.startsWith('+') ? paint('green', line) : line));
  return [`  ${error.code}: ${first}`, ...painted.map((line) => `  ${line}`)];
}
