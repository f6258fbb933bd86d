/**
 * Encrypts texts that are to be kept: parts of journals, credentials of accounts. AES-256-GCM under a key derived from the
 * deployment's, so that a table, a bucket or a backup alone shows nothing. Bound to a purpose: what was sealed for one opens for no other.
 */
import { createCipheriv, createDecipheriv, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { HoldfastError } from '../../engine/errors.ts';

const VERSION = 'hf1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** `purpose`: where it belongs, such as `account crm/acme`; the same must be given to open it. */
export function seal(key: KeyObject, purpose: string, text: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', derived(key), nonce).setAAD(Buffer.from(purpose));
  const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${VERSION}.${sealed.toString('base64url')}`;
}

/** Throws `E_SEALED` when it was sealed under another deployment key or for another purpose, or was changed. */
export function unseal(key: KeyObject, purpose: string, sealed: string): string {
  const [version, body = ''] = sealed.split('.', 2);
  const bytes = Buffer.from(body, 'base64url');
  try {
    if (version !== VERSION) throw new Error(`of version ${version}`);
    const decipher = createDecipheriv('aes-256-gcm', derived(key), bytes.subarray(0, NONCE_BYTES))
      .setAAD(Buffer.from(purpose))
      .setAuthTag(bytes.subarray(-TAG_BYTES));
    return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
  } catch (cause) {
    throw new HoldfastError(
      'E_SEALED',
      'an encrypted value cannot be opened: the secret holdfast/deployment-key is not the one it was encrypted with. Put the former one back',
      { cause },
    );
  }
}

const derivedKeys = new WeakMap<KeyObject, Buffer>();

function derived(key: KeyObject): Buffer {
  let found = derivedKeys.get(key);
  if (!found) {
    found = Buffer.from(hkdfSync('sha256', key, '', 'holdfast seal', 32));
    derivedKeys.set(key, found);
  }
  return found;
}
