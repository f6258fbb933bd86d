/** What the API's document says of schemas beside their form: names, which make them components, descriptions and examples. */
import * as z from 'zod/mini';

export type About = { id?: string; description?: string; examples?: unknown[] };

export const NAMED = z.registry<About>();

/** A component of the document under `id`. */
export function named<Schema extends z.ZodMiniType>(id: string, schema: Schema, about: Omit<About, 'id'> = {}): Schema {
  NAMED.add(schema, { id, ...about });
  return schema;
}

export function told<Schema extends z.ZodMiniType>(description: string, schema: Schema, examples?: unknown[]): Schema {
  NAMED.add(schema, { description, ...(examples === undefined ? {} : { examples }) });
  return schema;
}
