/** The workflows that are deployed. */
import { onboardCustomer } from './onboard-customer.ts';

export const workflows = [onboardCustomer];
