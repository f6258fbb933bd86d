/** What is deployed third, the fix: the changed workflow is a version of its own, and runs of the old one find it under `previous`. */
import { workflow } from 'holdfast';
import { flight, Named } from './flight.ts';
import { changing as original } from './release-1.ts';
import { changing as changed } from './release-2.ts';

const changing = workflow({
  name: 'changing',
  version: 2,
  input: Named,
  previous: [original],
  run: changed.run,
});

export const workflows = [...flight, changing];
