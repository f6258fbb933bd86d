/** `multipart/form-data` (RFC 7578) whose boundary follows from its fields: the same form is the same body on every replay. */
import { createHash } from 'node:crypto';

export type MemoryPart = { readonly head: string; readonly content: Uint8Array };

export async function encodeForm(form: FormData): Promise<{ body: Uint8Array; type: string }> {
  const parts: MemoryPart[] = [];
  for (const [name, value] of form) {
    if (typeof value === 'string') parts.push({ head: partHead(name), content: Buffer.from(value.replace(/\r\n|\r|\n/g, '\r\n')) });
    else
      parts.push({ head: partHead(name, { filename: value.name, type: value.type }), content: new Uint8Array(await value.arrayBuffer()) });
  }
  return encodeParts(parts);
}

export function encodeParts(parts: readonly MemoryPart[]): { body: Uint8Array; type: string } {
  const digest = createHash('sha256');
  for (const { head, content } of parts) digest.update(`${head.length} ${head}${content.length} `).update(content);
  const boundary = `holdfast-${digest.digest('hex').slice(0, 40)}`;
  const pieces = parts.flatMap(({ head, content }) => [Buffer.from(`--${boundary}\r\n${head}`), content, Buffer.from('\r\n')]);
  return { body: Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]), type: multipartType(boundary) };
}

export function multipartType(boundary: string): string {
  return `multipart/form-data; boundary=${boundary}`;
}

export function partHead(name: string, file?: { filename: string; type?: string }): string {
  const disposition = `Content-Disposition: form-data; name="${quoted(name)}"`;
  if (!file) return `${disposition}\r\n\r\n`;
  return `${disposition}; filename="${quoted(file.filename)}"\r\nContent-Type: ${file.type || 'application/octet-stream'}\r\n\r\n`;
}

/** As browsers escape names (WHATWG HTML, multipart/form-data encoding algorithm). */
function quoted(text: string): string {
  return text.replace(/\r\n|\r|\n/g, '%0D%0A').replaceAll('"', '%22');
}
