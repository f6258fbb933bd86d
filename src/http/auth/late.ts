/**
 * What is loaded with the first stored credential or token that a call needs: one door, since each further one would cut the code that
 * every cold start reads into more pieces.
 */
export { readAccount } from './account-credential.ts';
export { memoryCredentials } from './memory-credentials.ts';
export { renewalOf } from './oauth-grants.ts';
export { current } from './tokens.ts';
