/** A body as a stream of pieces, given one by one and no sooner than they are asked for, so that an error comes after all of them. */

export type Pieces = {
  readonly stream: ReadableStream<Uint8Array>;
  push(piece: Uint8Array): void;
  /** Nothing more comes; with an error, that is how it ends. */
  end(error?: Error): void;
};

export function pieces(onCancel: () => unknown): Pieces {
  const queue: Uint8Array[] = [];
  let over: { error?: Error } | undefined;
  let wanted: (() => void) | undefined;
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (queue.length === 0 && !over)
          await new Promise<void>((more) => {
            wanted = more;
          });
        const piece = queue.shift();
        // Of user code's own: it may do with it what it likes.
        if (piece) controller.enqueue(new Uint8Array(piece));
        else if (over?.error) controller.error(over.error);
        else controller.close();
      },
      cancel() {
        queue.length = 0;
        onCancel();
      },
    },
    { highWaterMark: 0 },
  );
  return {
    stream,
    push(piece) {
      queue.push(piece);
      wanted?.();
    },
    end(error) {
      over = error === undefined ? {} : { error };
      wanted?.();
    },
  };
}
