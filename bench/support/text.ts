/** Data as APIs answer it: names, ids, numbers, sentences. It compresses as such data does, to about a third. */

const WORDS = 'account invoice customer pending shipped Berlin refund annual seat owner renewal quarter region note draft'.split(' ');

/** A JSON value of about `bytes`, different for each `seed`, the same every time. */
export function document(bytes: number, seed: number): { id: string; items: Array<Record<string, string | number>> } {
  let state = (seed + 1) * 2_654_435_761;
  const next = (limit: number) => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 374_761_393) >>> 0;
    return state % limit;
  };
  const items: Array<Record<string, string | number>> = [];
  for (let size = 40; size < bytes; ) {
    const item = {
      id: `${next(2 ** 31).toString(36)}${next(2 ** 31).toString(36)}`,
      kind: WORDS[next(WORDS.length)] as string,
      amount: next(1_000_000) / 100,
      text: Array.from({ length: 6 }, () => WORDS[next(WORDS.length)]).join(' '),
    };
    items.push(item);
    size += JSON.stringify(item).length + 1;
  }
  return { id: `doc-${seed}`, items };
}
