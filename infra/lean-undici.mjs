/**
 * undici without its web APIs, caches and mocks: what `undici` means inside a bundle. Half of the bundle's size otherwise.
 * Whoever imports a name that is not here gets an error when bundling: add it.
 */
import api from 'undici/lib/api/index.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';

export { default as buildConnector } from 'undici/lib/core/connect.js';
export { default as errors } from 'undici/lib/core/errors.js';
export { default as Agent } from 'undici/lib/dispatcher/agent.js';
export { default as Client } from 'undici/lib/dispatcher/client.js';
export { default as Pool } from 'undici/lib/dispatcher/pool.js';
export { Dispatcher };

// As undici's own index does it: pool.request() and the like.
Object.assign(Dispatcher.prototype, api);
