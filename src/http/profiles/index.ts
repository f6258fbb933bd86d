/** What is known of providers' APIs: `holdfast/profiles`. A new one is a file and a line here. */
export type { ApiError, Profile } from '../profile.ts';
export { github } from './github.ts';
export { ietf } from './ietf.ts';
export { openai } from './openai.ts';
export { slack } from './slack.ts';
export { stripe } from './stripe.ts';
