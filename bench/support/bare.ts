/** Starts the baseline's process and speaks for it. */
import { type Asked, askedProcess } from './asked.ts';
import type { FromBare, ToBare } from './bare-process.ts';

export type Bare = Asked<ToBare, FromBare>;

export const startBare = (): Bare => askedProcess('bare-process.ts');
