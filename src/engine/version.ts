/**
 * The engine's own behaviour; a run keeps the number it began with. 2: the id of a call holds a hash of its query, in place of
 * the query.
 */
export const ENGINE_VERSION = 2;
