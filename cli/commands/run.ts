/** `run <workflow>`: starts a run, follows it, and ends with its result. */

import type { RunStatus } from '../api-types.ts';
import { followToEnd } from '../ending.ts';
import { examples } from '../examples.ts';
import { readInput } from '../input.ts';
import type { AddCommand } from '../program.ts';

type Options = { input?: string; key?: string; tenant?: string; detach?: boolean };

export const addRun: AddCommand = (program, tools, end) => {
  program
    .command('run')
    .description(
      'Start a run and follow it: calls as they end, waits with the time left, then its result. Exit code 1 if it failed or was paused.',
    )
    .argument('<workflow>', 'name of the workflow')
    .option('-i, --input <json>', 'its input: JSON, @file, or - for stdin')
    .option('--key <key>', 'idempotency key: the same key gives the same run')
    .option('--tenant <tenant>', 'whose run it is; default: default')
    .option('--detach', 'do not wait for its end')
    .addHelpText(
      'after',
      examples(
        `run onboard-customer --input '{"domain":"kestrel-kiln-labs.example","seats":2}'`,
        'run onboard-customer --input @order.json --key order-1234',
        'run onboard-customer --input - --detach < order.json',
      ),
    )
    .action(async (workflow: string, { input, key, tenant, detach }: Options) => {
      const body = input === undefined ? undefined : await readInput('--input', input, tools.outside);
      const api = await tools.api();
      const started = await api.post<{ id: string; status: RunStatus }>(`/v1/workflows/${encodeURIComponent(workflow)}/runs`, body, {
        headers: { 'Idempotency-Key': key, 'Holdfast-Tenant': tenant },
      });
      if (detach) {
        tools.answer(started, () => started.id);
        return;
      }
      tools.note(`${started.id}  ${workflow}`);
      end(await followToEnd(tools, api, started.id));
    });
};
