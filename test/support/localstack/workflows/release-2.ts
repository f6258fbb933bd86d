/** What is deployed second: one workflow was changed under its runs, without a new version; another is new. */
import { workflow } from 'holdfast';
import { api } from './connections.ts';
import { flight, Named } from './flight.ts';

export const changing = workflow({
  name: 'changing',
  input: Named,
  async run({ name }) {
    await api.get(`/another/${name}`);
    await api.get(`/retrying/${name}`);
    return 'as it was changed';
  },
});

const newcomer = workflow({ name: 'newcomer', input: Named, run: async ({ name }) => `welcome, ${name}` });

export const workflows = [...flight, changing, newcomer];
