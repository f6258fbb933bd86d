/** The functions that are deployed, and what of theirs is not the stage's to choose. */
import type { Stage } from './config.ts';

export const FUNCTIONS = ['worker', 'api', 'sweeper', 'dead-letters'] as const;
export type FunctionName = (typeof FUNCTIONS)[number];

/**
 * Seconds. The API's: REST API Gateway waits 29 s and no longer. The sweeper's: the next one begins after a minute.
 */
export const TIMEOUTS: Readonly<Record<Exclude<FunctionName, 'worker'>, number>> = { api: 29, sweeper: 60, 'dead-letters': 60 };

/** MB. */
export const MEMORY: Readonly<Record<Exclude<FunctionName, 'worker'>, number>> = { api: 1_024, sweeper: 512, 'dead-letters': 512 };

export const timeoutOf = (name: FunctionName, stage: Stage): number => (name === 'worker' ? stage.worker.timeout : TIMEOUTS[name]);
export const memoryOf = (name: FunctionName, stage: Stage): number => (name === 'worker' ? stage.worker.memory : MEMORY[name]);
