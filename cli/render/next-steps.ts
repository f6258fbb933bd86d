/** What a person can do about a run as it stands, as commands to copy. Pure. */
import type { Run } from '../api-types.ts';
import type { CallView } from './calls.ts';

export type NextStep = { command: string; what: string };

export function nextSteps(run: Pick<Run, 'id' | 'status' | 'reason'>, calls: readonly CallView[], stage: string): NextStep[] {
  const suffix = stage === 'local' ? '' : ` --stage ${stage}`;
  const step = (command: string, what: string): NextStep => ({ command: `npx holdfast ${command}${suffix}`, what });
  switch (run.status) {
    case 'paused': {
      const unknown = calls.filter(({ state }) => state === 'unknown');
      return [
        ...unknown.flatMap(({ lastSeq, label }) => [
          step(`settle ${run.id} ${lastSeq} happened --value '{"status":201,"data":{}}'`, `${label} did happen, and this is its reply`),
          step(`settle ${run.id} ${lastSeq} not-happened`, 'it did not: it is sent again'),
          step(`settle ${run.id} ${lastSeq} failed`, 'leave it: the workflow gets an UnknownOutcomeError'),
        ]),
        ...(unknown.length > 0 ? [] : [step(`resume ${run.id}`, 'once what the reason names is mended')]),
        step(`cancel ${run.id}`, 'end it'),
      ];
    }
    case 'failed': {
      const failed = calls.filter(({ state }) => state === 'failed');
      return [
        step(`redrive ${run.id}`, 'start again where it failed'),
        // With one failure there is nothing to choose from.
        ...(failed.length < 2
          ? []
          : failed.map(({ lastSeq, label }) => step(`redrive ${run.id} --from ${lastSeq}`, `start again from ${label}`))),
        step(`delete ${run.id}`, 'remove it and its payloads'),
      ];
    }
    case 'succeeded':
    case 'cancelled':
      return [step(`delete ${run.id}`, 'remove it and its payloads')];
    default:
      return [step(`cancel ${run.id}`, 'end it at its next await')];
  }
}
