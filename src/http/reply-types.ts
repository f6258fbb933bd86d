/** The type of a reply, inferred from a call's options. Types alone. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { CallOptions, Schema } from './options.ts';
import type { Reply, StoredBody } from './reply.ts';

/** Those that are registered; spelled out because TypeScript tells unions apart by literals alone. */
type Success = 200 | 201 | 202 | 203 | 204 | 205 | 206 | 207 | 208 | 226;

/** `Data` for successes; statuses that the call accepts besides have data that no schema has seen. */
type WithAccepted<Options, Data, Other> = Options extends { readonly acceptStatus: readonly (infer Status)[] }
  ? Reply<Data, Success> | (Status extends number ? Reply<Other, Status> : never)
  : Reply<Data>;

type ByStatus<Schemas> = {
  [Status in keyof Schemas]: Schemas[Status] extends StandardSchemaV1
    ? Reply<StandardSchemaV1.InferOutput<Schemas[Status]>, Status extends number ? Status : never>
    : never;
}[keyof Schemas];

type Accepted<Options> = Options extends { readonly acceptStatus: readonly (infer Status)[] }
  ? Status extends number
    ? Reply<unknown, Status>
    : never
  : never;

type Unchecked<Options> = Options extends { readonly as: 'text' }
  ? string
  : Options extends { readonly as: 'bytes' }
    ? Uint8Array
    : Options extends { readonly as: 'file' }
      ? StoredBody
      : unknown;

/** One schema types `data`; one per status makes a union told apart by `status`, and so do accepted statuses. */
export type ReplyOf<Options extends CallOptions> = Options extends { readonly schema: infer Schema }
  ? Schema extends StandardSchemaV1
    ? WithAccepted<Options, StandardSchemaV1.InferOutput<Schema>, unknown>
    : ByStatus<Schema> | Accepted<Options>
  : WithAccepted<Options, Unchecked<Options>, Unchecked<Options>>;

/** What a schema, or one of those by status, makes of a reply's data. */
export type DataOf<S extends Schema | undefined> = S extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<S>
  : S extends { readonly [status: number]: StandardSchemaV1 }
    ? StandardSchemaV1.InferOutput<S[keyof S & number]>
    : unknown;

export type ItemOf<Data> = Data extends readonly (infer One)[] ? One : unknown;
