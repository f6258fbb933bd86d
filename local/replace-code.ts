/** Exchanges the code of all functions at once, or of none: each is tried before the first is replaced. */
import { isDeepStrictEqual } from 'node:util';
import { LocalError } from './errors.ts';
import type { Pool, Replacement } from './lambda/pool.ts';
import type { FunctionDescription, StackDescription } from './template/description.ts';

type Exchange = {
  pools: ReadonlyMap<string, Pool>;
  from: StackDescription;
  to: StackDescription;
  variablesFor: (fn: FunctionDescription) => Record<string, string>;
};

/** Throws `E_TEMPLATE` where the stacks differ in more than code and settings, `E_FUNCTION_START` where code cannot be loaded. */
export async function replaceCode({ pools, from, to, variablesFor }: Exchange): Promise<void> {
  const differs = ROUTING.filter((part) => !isDeepStrictEqual(shape(from)[part], shape(to)[part]));
  if (differs.length > 0)
    throw new LocalError('E_TEMPLATE', `${differs.join(' and ')} of the stack have changed: end it and start it again`);
  const tried = await Promise.allSettled(
    to.functions.map((fn) =>
      (pools.get(fn.name) as Pool).replacement(fn, variablesFor(fn)).catch((cause: Error) => {
        throw new LocalError('E_FUNCTION_START', `function ${fn.name} cannot start: ${cause.message}`, { cause });
      }),
    ),
  );
  const ready = tried.flatMap((one): Replacement[] => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = tried.find((one) => one.status === 'rejected');
  if (failed) {
    for (const replacement of ready) replacement.discard();
    throw failed.reason;
  }
  for (const replacement of ready) replacement.commit();
}

const ROUTING = ['functions', 'event sources', 'routes', 'schedules'] as const;

/** What is wired up once: who calls whom. */
function shape(stack: StackDescription): Record<(typeof ROUTING)[number], unknown> {
  return {
    functions: stack.functions.map(({ name }) => name),
    'event sources': stack.eventSources.map(({ queue, functionName }) => [queue.name, functionName]),
    routes: stack.apis,
    schedules: stack.schedules,
  };
}
