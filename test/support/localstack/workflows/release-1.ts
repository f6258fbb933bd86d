/** What is deployed first. */
import { workflow } from 'holdfast';
import { api } from './connections.ts';
import { flight, Named } from './flight.ts';

export const changing = workflow({
  name: 'changing',
  input: Named,
  async run({ name }) {
    await api.get(`/first/${name}`);
    await api.get(`/retrying/${name}`);
    return 'as it began';
  },
});

export const workflows = [...flight, changing];
