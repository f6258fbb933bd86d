/** The companies that the demo's CRM knows, always the same. Pure: the demo API begins with them, and the sample messages name them. */

export type Company = { id: string; name: string; domain: string; people: string[] };

const FIRST = ['amber', 'birch', 'cobalt', 'copper', 'delta', 'ember', 'fern', 'granite', 'harbor', 'indigo', 'juniper', 'kestrel'];
const SECOND = [
  'anvil',
  'bakery',
  'compass',
  'dairy',
  'engine',
  'foundry',
  'garden',
  'harvest',
  'instruments',
  'joinery',
  'kiln',
  'lantern',
];
const LAST = ['works', 'labs'];
const PEOPLE = ['ada', 'grace', 'alan', 'edsger', 'barbara', 'tony'];

/** 288 companies; the order is part of what the sample messages rely on. */
export const COMPANIES: readonly Company[] = LAST.flatMap((last) =>
  FIRST.flatMap((first, i) =>
    SECOND.map((second, j) => {
      const slug = `${first}-${second}-${last}`;
      const domain = `${slug}.example`;
      return {
        id: domain,
        name: slug.replace(/(^|-)(\w)/g, (_, dash: string, letter: string) => (dash ? ' ' : '') + letter.toUpperCase()),
        domain,
        people: PEOPLE.slice(0, 2 + ((i + j) % 5)).map((person) => `${person}.${slug}`),
      };
    }),
  ),
);

/** These are customers already: onboarding them changes nothing. */
export const CUSTOMERS: readonly Company[] = COMPANIES.slice(0, 36);

/** Not yet customers. */
export const PROSPECTS: readonly Company[] = COMPANIES.slice(36);

/** What every demo API begins with. Everything else in it was created by somebody's request. */
export function seedData(): Record<string, Array<Record<string, unknown>>> {
  return {
    companies: COMPANIES.map(({ people, ...company }) => ({ ...company, _people: people })),
    usage: COMPANIES.flatMap(({ people }, i) => people.map((id, j) => ({ id, logins: (i * 7 + j * 5) % 4 }))),
    accounts: CUSTOMERS.map(({ name, domain, people }, i) => ({
      id: `acc-${i + 1}`,
      name,
      domain,
      seats: people.length,
      users: people,
      _seeded: true,
    })),
    notes: [],
    messages: [],
  };
}
