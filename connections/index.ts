/** The external APIs that are deployed. */
import { billing } from './billing.ts';
import { crm } from './crm.ts';
import { mailer } from './mailer.ts';

export const connections = [crm, billing, mailer];
