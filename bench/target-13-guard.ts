/**
 * Target 13: addresses that must be refused and were let through, over all the cases of test/support/guard-cases.ts: as base URLs, as what
 * names resolve to, and as where redirects lead; and public ones that were blocked. No socket is opened to any of them.
 */
import * as cases from '../test/support/guard-cases.ts';
import { guardProbe, type Question, type Verdict } from '../test/support/guard-probe.ts';
import type { Benchmark } from './support/benchmark.ts';

const NAME = 'https://api.example/';

export const benchmark: Benchmark = {
  id: 13,
  title: 'the address guard',
  async run({ say }) {
    const probe = await guardProbe();
    try {
      const both = async (questions: readonly Question[]): Promise<Verdict[]> => {
        const verdicts: Verdict[] = [];
        for (const question of questions) verdicts.push(await probe.directly(question), await probe.redirected(question));
        return verdicts;
      };
      say('what must be refused');
      const refused = await both([
        ...cases.REFUSED_URLS.map((url) => ({ url })),
        ...cases.REFUSED_ADDRESSES.flatMap((address) => [[address], ['1.1.1.1', address]].map((answers) => ({ url: NAME, answers }))),
        ...cases.REFUSED_ANSWERS.map((answers) => ({ url: NAME, answers })),
        ...cases.REFUSED_NAMES.map(([host, address]) => ({ url: `https://${host}/`, answers: [address] })),
        ...cases.FORBIDDEN.map(({ url, address, allow, env = {} }) => ({ url, answers: [address], allow, env, allowLoopback: true })),
      ]);
      say('what is public');
      const open = await both([
        ...cases.PUBLIC_ADDRESSES.map((address) => ({ url: NAME, answers: [address] })),
        ...cases.PUBLIC_URLS.map((url) => ({ url: url.replace(/[?#].*/, '') })),
      ]);
      const through = refused.filter(({ letThrough }) => letThrough).length;
      const blocked = open.filter(({ letThrough }) => !letThrough).length;
      return {
        figures: [
          { name: 'refused addresses let through', value: through, unit: 'cases', target: 0, better: 'lower' },
          { name: 'public addresses blocked', value: blocked, unit: 'cases', target: 0, better: 'lower' },
          { name: 'cases that must be refused', value: refused.length, unit: 'cases', target: 300, better: 'higher' },
          { name: 'public cases', value: open.length, unit: 'cases', target: 100, better: 'higher' },
        ],
        notes: [
          `${cases.REFUSED_URLS.length} URLs and ${cases.REFUSED_ADDRESSES.length} addresses, each called directly and by a redirect`,
        ],
      };
    } finally {
      await probe.close();
    }
  },
};
