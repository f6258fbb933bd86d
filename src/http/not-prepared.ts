/** Nothing was sent, and it is tried again. The message is for people: never a secret. */
export class NotPrepared extends Error {
  override readonly name = 'NotPrepared';
}
