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

/** The same for a form that somebody has encoded: its boundary gives way to one that follows from the content. Others are left as they are. */
export function settleBoundary(body: string | Uint8Array, type: string): { body: string | Uint8Array; type: string } {
  const [given, quotedOne, plainOne] = /boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(type) ?? [];
  const boundary = quotedOne ?? plainOne;
  if (given === undefined || boundary === undefined) return { body, type };
  // It occurs in no part, by definition: that is what makes it one. As latin-1 a byte is a character.
  const text = Buffer.from(body as Uint8Array).toString('latin1');
  const pieces = text.split(`--${boundary}`);
  const digest = createHash('sha256');
  for (const piece of pieces) digest.update(`${piece.length} `).update(piece, 'latin1');
  const settled = `holdfast-${digest.digest('hex').slice(0, 40)}`;
  return { body: new Uint8Array(Buffer.from(pieces.join(`--${settled}`), 'latin1')), type: type.replace(given, `boundary=${settled}`) };
}

/** As browsers escape names (WHATWG HTML, multipart/form-data encoding algorithm). */
function quoted(text: string): string {
  return text.replace(/\r\n|\r|\n/g, '%0D%0A').replaceAll('"', '%22');
}
