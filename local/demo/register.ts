/** What the demo's public register says of companies, always the same. Pure. It does not know all that the CRM knows. */
import { COMPANIES } from './world.ts';

const INDUSTRIES: Record<string, string> = {
  anvil: 'metalworking',
  bakery: 'food',
  compass: 'navigation',
  dairy: 'food',
  engine: 'machinery',
  foundry: 'metalworking',
  garden: 'horticulture',
  harvest: 'agriculture',
  instruments: 'music',
  joinery: 'carpentry',
  kiln: 'ceramics',
  lantern: 'lighting',
};

/** One in 97 is not registered. */
export const UNREGISTERED: readonly string[] = COMPANIES.filter((_, i) => i % 97 === 41).map(({ domain }) => domain);

export function registerRows(): Array<Record<string, unknown>> {
  return COMPANIES.flatMap(({ domain }, i) => {
    if (UNREGISTERED.includes(domain)) return [];
    const trade = domain.split('-')[1] ?? '';
    return [{ id: domain, industry: INDUSTRIES[trade] ?? 'other', employees: 3 + ((i * 37) % 460), founded: 1890 + ((i * 53) % 130) }];
  });
}
