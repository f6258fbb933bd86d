/** The external APIs that are deployed. */
import { billing } from './billing.ts';
import { crm } from './crm.ts';
import { mailer } from './mailer.ts';
import { registry } from './registry.ts';
import { site } from './site.ts';
import { summariser } from './summariser.ts';

export const connections = [crm, billing, mailer, registry, site, summariser];
