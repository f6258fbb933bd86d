/** What batches need beyond the engine's ports: a queue that begins runs, and a place for files that are too large for a request. */
import type { StartRequest } from '../engine/start.ts';

export type StartQueue = {
  /** Resolves when the queue has all of them. */
  start(requests: readonly StartRequest[]): Promise<void>;
};

/** How a client sends the file, without a token. */
export type Presigned = { upload: string; url: string; headers: Readonly<Record<string, string>>; expiresAt: number };

/** `etag`: of the content, so that nobody reads half of one file and half of another. */
export type Uploaded = { bytes: number; etag: string };

/** Kept apart by tenant: an upload is not there for another one. */
export type Uploads = {
  create(tenant: string): Promise<Presigned>;
  find(tenant: string, upload: string): Promise<Uploaded | undefined>;
  /** The bytes from `from` to before `to`. Throws when the content is another than `etag`, or gone. */
  read(tenant: string, upload: string, range: { from: number; to: number; etag: string }): Promise<Uint8Array>;
};

export const MAX_UPLOAD_BYTES = 1024 * 1024 * 1024;
