/** The cost of an idle stack as a table that a person reads. Pure. */
import type { IdleCost } from './idle.ts';
import { PRICES_OF } from './prices.ts';

const usd = (value: number) => `$${value.toFixed(3)}`;

export function costReport(stage: string, { lines, usd: total }: IdleCost): string {
  const rows = lines.map(({ what, count, price, usd: cost, why }) => [what, `${quantity(count)} ${price.unit}`, usd(cost), why] as const);
  const width = (column: 0 | 1 | 2) => Math.max(...rows.map((row) => row[column].length));
  const [first, second, third] = [width(0), width(1), width(2)];
  return [
    `A month of stage ${stage} in which nobody uses it: list prices of us-east-1 of ${PRICES_OF}, without any free tier.`,
    '',
    ...rows.map(([what, count, cost, why]) => `  ${what.padEnd(first)}  ${count.padStart(second)}  ${cost.padStart(third)}   ${why}`),
    `  ${'together'.padEnd(first)}  ${''.padStart(second)}  ${usd(total).padStart(third)}`,
  ].join('\n');
}

function quantity(count: number): string {
  return count >= 1_000 ? Math.round(count).toLocaleString('en-GB') : String(Math.round(count * 1_000) / 1_000);
}
