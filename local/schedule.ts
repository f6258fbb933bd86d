/** Fires a scheduled function by its rule's rate, and once at the start: what was due while nothing ran is found at once. */
import { randomUUID } from 'node:crypto';
import { ACCOUNT, REGION } from './aws/client.ts';
import type { Pool } from './lambda/pool.ts';
import type { ScheduleDescription } from './template/description.ts';

export type Schedule = { stop(): void };

export function startSchedule(schedule: ScheduleDescription, pool: Pick<Pool, 'invoke'>): Schedule {
  const fire = () => {
    const event =
      schedule.input ??
      JSON.stringify({
        version: '0',
        id: randomUUID(),
        'detail-type': 'Scheduled Event',
        source: 'aws.events',
        account: ACCOUNT,
        time: `${new Date().toISOString().slice(0, 19)}Z`,
        region: REGION,
        resources: [schedule.arn],
        detail: {},
      });
    // The pool tells of a fault; the next time comes anyway.
    pool.invoke(event).catch(() => undefined);
  };
  const timer = setInterval(fire, schedule.everyMs);
  fire();
  return { stop: () => clearInterval(timer) };
}
