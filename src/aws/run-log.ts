/** The engine's events as log lines with the ids of run, workflow and call. Metrics are another observer. */
import type { Logger } from '@aws-lambda-powertools/logger';
import type { EngineEvent, Observer } from '../engine/ports.ts';
import { redactJson, redactText } from '../engine/redaction.ts';

export function logObserver(logger: Logger): Observer {
  return (event) => {
    const line = lineOf(event);
    const message = redactText(line.message);
    const fields = redactJson(line.fields) as Record<string, unknown>;
    switch (levelOf(event)) {
      case 'debug':
        logger.debug(message, fields);
        break;
      case 'info':
        logger.info(message, fields);
        break;
      case 'warn':
        logger.warn(message, fields);
        break;
      case 'error':
        logger.error(message, fields);
    }
  };
}

function lineOf(event: EngineEvent): { message: string; fields: Record<string, unknown> } {
  if (event.type !== 'log') {
    const { type, ...fields } = event;
    return { message: type, fields };
  }
  // The logger has a level and a message of its own, and drops fields of these names.
  const { level: _level, message, ...fields } = event;
  return { message, fields };
}

function levelOf(event: EngineEvent): 'debug' | 'info' | 'warn' | 'error' {
  switch (event.type) {
    case 'log':
      return event.level;
    case 'engine.error':
      return 'error';
    case 'run.paused':
    case 'run.stalled':
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
