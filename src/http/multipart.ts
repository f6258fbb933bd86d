/** `multipart/form-data` (RFC 7578) whose boundary follows from its fields: the same form is the same body on every replay. */
import { createHash } from 'node:crypto';

type Part = { head: string; content: Uint8Array };

export async function encodeForm(form: FormData): Promise<{ body: Uint8Array; type: string }> {
  const parts: Part[] = [];
  for (const [name, value] of form) {
    const disposition = `Content-Disposition: form-data; name="${quoted(name)}"`;
    if (typeof value === 'string')
      parts.push({ head: `${disposition}\r\n\r\n`, content: Buffer.from(value.replace(/\r\n|\r|\n/g, '\r\n')) });
    else {
      const head = `${disposition}; filename="${quoted(value.name)}"\r\nContent-Type: ${value.type || 'application/octet-stream'}\r\n\r\n`;
      parts.push({ head, content: new Uint8Array(await value.arrayBuffer()) });
    }
  }
  const digest = createHash('sha256');
  for (const { head, content } of parts) digest.update(`${head.length} ${head}${content.length} `).update(content);
  const boundary = `holdfast-${digest.digest('hex').slice(0, 40)}`;
  const pieces = parts.flatMap(({ head, content }) => [Buffer.from(`--${boundary}\r\n${head}`), content, Buffer.from('\r\n')]);
  return { body: Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]), type: `multipart/form-data; boundary=${boundary}` };
}

/** As browsers escape names (WHATWG HTML, multipart/form-data encoding algorithm). */
function quoted(text: string): string {
  return text.replace(/\r\n|\r|\n/g, '%0D%0A').replaceAll('"', '%22');
}
