/** The engine's events as metrics. What each means, and what it costs, is in docs/observability.md. */
import type { EngineEvent, Observer } from '../engine/ports.ts';
import { sentCall } from './call-record.ts';
import type { Emf } from './emf.ts';

export function metricsObserver(emf: Emf): Observer {
  return (event) => {
    switch (event.type) {
      case 'run.started':
        emf.count('RunsStarted', { Workflow: event.workflow });
        break;
      case 'run.ended':
        emf.count('RunsEnded', { Workflow: event.workflow, Status: event.status });
        emf.value('RunDuration', 'Milliseconds', event.ms, { Workflow: event.workflow });
        if (event.status === 'failed') emf.count('RunsFailed');
        break;
      case 'run.paused':
        emf.count('RunsPaused', { Workflow: event.workflow });
        emf.count('RunsPaused');
        break;
      case 'run.parked':
        emf.count('Waits');
        break;
      case 'run.written':
        emf.count('RunWrites');
        break;
      case 'message.refused':
        emf.count('DeadLetters');
        break;
      case 'batch.handled':
        emf.value('BatchSize', 'Count', event.messages);
        break;
      case 'call.deferred':
        if (event.target !== undefined) emf.count('Deferred', { Connection: event.target });
        break;
      case 'call.attempt':
        callSent(emf, event);
    }
  };
}

/** One sending is counted once: asking what became of an unknown one is no call. */
function callSent(emf: Emf, { target, effect, outcome, record }: Extract<EngineEvent, { type: 'call.attempt' }>): void {
  const sent = sentCall(record);
  if (target === undefined || !sent) return;
  emf.count('Calls', { Connection: target, Effect: effect, Outcome: outcome });
  if (sent.ms !== undefined) emf.value('CallDuration', 'Milliseconds', sent.ms, { Connection: target });
  if (sent.class === 'throttle') emf.count('Throttled', { Connection: target });
  else if (outcome === 'again') emf.count('Retries', { Connection: target });
}
