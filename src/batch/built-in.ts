/** Workflows that come with Holdfast stand beside the user's, under names that are theirs alone. */
import { HoldfastError } from '../engine/errors.ts';
import { type Registry, registry, type Workflow } from '../engine/workflow.ts';

const PREFIX = 'holdfast-';

/** Started by Holdfast itself: over HTTP they are neither listed nor started by name. */
export const isBuiltIn = (name: string): boolean => name.startsWith(PREFIX);

/** `builtIn` is given what it is registered in, since a batch starts runs of the others. Throws `E_BAD_OPTION`, and what `registry` does. */
export function registryWith(workflows: readonly Workflow[], builtIn: (registered: () => Registry) => Workflow): Registry {
  const taken = workflows.find(({ name }) => isBuiltIn(name));
  if (taken) {
    throw new HoldfastError('E_BAD_OPTION', `workflow "${taken.name}": names that begin with "${PREFIX}" are Holdfast's own`, {
      detail: { field: 'name' },
    });
  }
  const all: Registry = registry([...workflows, builtIn(() => all)]);
  return all;
}
