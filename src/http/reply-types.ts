/** The type of a reply, inferred from a call's options. Types alone. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { CallOptions } from './options.ts';
import type { Reply } from './reply.ts';

/** Statuses that the call accepts: replies whose data no schema has seen. */
type Accepted<Options, Data> = Options extends { readonly acceptStatus: readonly (infer Status)[] }
  ? Status extends number
    ? Reply<Data, Status>
    : never
  : never;

type ByStatus<Schemas> = {
  [Status in keyof Schemas]: Schemas[Status] extends StandardSchemaV1
    ? Reply<StandardSchemaV1.InferOutput<Schemas[Status]>, Status extends number ? Status : never>
    : never;
}[keyof Schemas];

type Unchecked<Options> = Options extends { readonly as: 'text' }
  ? string
  : Options extends { readonly as: 'bytes' }
    ? Uint8Array
    : unknown;

/** One schema types `data`; one per status makes a union told apart by `status`. */
export type ReplyOf<Options extends CallOptions> = Options extends { readonly schema: infer Schema }
  ? Schema extends StandardSchemaV1
    ? Reply<StandardSchemaV1.InferOutput<Schema>> | Accepted<Options, unknown>
    : ByStatus<Schema> | Accepted<Options, unknown>
  : Reply<Unchecked<Options>> | Accepted<Options, Unchecked<Options>>;
