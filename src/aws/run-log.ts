/** The engine's events as log lines with the ids of run, workflow and call. Metrics are another observer. */
import type { Logger } from '@aws-lambda-powertools/logger';
import type { EngineEvent, Observer } from '../engine/ports.ts';

export function logObserver(logger: Logger): Observer {
  return (event) => {
    const { type, ...fields } = event;
    switch (levelOf(event)) {
      case 'debug':
        logger.debug(type, fields);
        break;
      case 'info':
        logger.info(type, fields);
        break;
      case 'warn':
        logger.warn(type, fields);
        break;
      case 'error':
        logger.error(type, fields);
    }
  };
}

function levelOf(event: EngineEvent): 'debug' | 'info' | 'warn' | 'error' {
  switch (event.type) {
    case 'log':
      return event.level;
    case 'engine.error':
      return 'error';
    case 'run.paused':
    case 'run.stalled':
    case 'run.blocked':
    case 'message.refused':
      return 'warn';
    case 'run.ended':
      return event.status === 'failed' ? 'warn' : 'info';
    // A run's end tells when it began; a line for that alone would double the log.
    case 'run.started':
    case 'run.written':
      return 'debug';
    // Thousands of calls go well; what makes a run slow is the one that did not.
    case 'call.attempt':
      return event.outcome === 'done' || event.kind === 'sleep' ? 'debug' : 'info';
    default:
      return 'info';
  }
}
