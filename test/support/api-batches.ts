/** A start queue and uploads in memory. */
import type { StartQueue, Uploads } from '../../src/batch/ports.ts';
import type { Clock } from '../../src/engine/ports.ts';
import type { StartRequest } from '../../src/engine/start.ts';

export type MemoryStarts = StartQueue & { readonly sent: StartRequest[] };

export function memoryStarts(before: () => void = () => {}): MemoryStarts {
  const sent: StartRequest[] = [];
  return {
    sent,
    async start(requests) {
      before();
      sent.push(...structuredClone([...requests]));
    },
  };
}

export type MemoryUploads = Uploads & { put(tenant: string, upload: string, text: string | Uint8Array): void };

export function memoryUploads(clock: Pick<Clock, 'now'>): MemoryUploads {
  const files = new Map<string, Uint8Array>();
  let made = 0;
  return {
    put: (tenant, upload, text) => void files.set(`${tenant}/${upload}`, Buffer.from(text)),
    async create() {
      const upload = `00000000-0000-4000-8000-${String(++made).padStart(12, '0')}`;
      return {
        upload,
        url: `https://bucket.example/${upload}`,
        headers: { 'content-type': 'application/x-ndjson' },
        expiresAt: clock.now() + 3_600_000,
      };
    },
    async find(tenant, upload) {
      const file = files.get(`${tenant}/${upload}`);
      return file && { bytes: file.length, etag: `"${file.length}"` };
    },
    async read(tenant, upload, { from, to }) {
      const file = files.get(`${tenant}/${upload}`);
      if (!file) throw new Error('NoSuchKey');
      return file.subarray(from, to);
    },
  };
}
