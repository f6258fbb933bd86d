/** The workflows that are deployed. */
import { nightlySync } from './nightly-sync.ts';
import { onboardCustomer } from './onboard-customer.ts';
import { scrapeAndSummarise } from './scrape-and-summarise.ts';

export const workflows = [onboardCustomer, nightlySync, scrapeAndSummarise];
