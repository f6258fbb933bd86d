/** What an operator does to the runs of a rig, by the same functions as the API. */
import type { ErrorData } from '../../../src/engine/errors.ts';
import { cancelRun, deleteRun, redriveRun, resumeRun, type Settlement, settleCall } from '../../../src/engine/operate.ts';
import type { Rig } from './rig.ts';

export function operatorOf(rig: Rig, workflow = 'w', key = 'k') {
  const { store, payloads, wake, clock, entropy } = rig;
  const ports = { store, payloads, wake, clock, entropy };
  const record = () => rig.record(workflow, key);
  const about = { by: 'ops', why: 'a test' };
  return {
    cancel: () => cancelRun(ports, record(), about),
    resume: () => resumeRun(ports, record(), about),
    redrive: (from?: number) => redriveRun(ports, record(), from === undefined ? {} : { from }, about),
    redriveAsNew: (from?: number) => redriveRun(ports, record(), { asNew: true, ...(from === undefined ? {} : { from }) }, about),
    remove: () => deleteRun(ports, record()),
    /** The messages that are due now are handled, which also moves a paused run; then on to its end. */
    async onward() {
      await rig.invoke(rig.wake.take().map(({ run }) => rig.wakeMessage(run)));
      return rig.wakeToEnd(workflow, key);
    },
    /** By the seq of the call's last unknown entry. */
    settle(settlement: Settlement, seq = rig.journal(workflow, key).findLastIndex(({ k }) => k === 'unknown')) {
      return settleCall(ports, record(), seq, settlement, about);
    },
  };
}

export async function refusal(what: Promise<unknown>): Promise<ErrorData> {
  try {
    await what;
  } catch (error) {
    return error as ErrorData;
  }
  throw new Error('it was not refused');
}
