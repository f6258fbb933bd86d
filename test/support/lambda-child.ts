/**
 * One function in a process of its own, as Lambda runs it: while an invocation is under way, nothing but the function itself
 * keeps the process alive. Started with the path of the function's module; events come and results go over IPC.
 */
const { handler } = (await import(process.argv[2] as string)) as { handler: (event: unknown, context: unknown) => Promise<unknown> };

process.on('message', ({ id, event }: { id: number; event: unknown }) => {
  process.channel?.unref();
  const context = {
    functionName: 'test',
    functionVersion: '1',
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:test',
    memoryLimitInMB: '512',
    awsRequestId: `invocation-${id}`,
    getRemainingTimeInMillis: () => 29_000,
  };
  void handler(event, context).then(
    (result) => {
      process.channel?.ref();
      process.send?.({ id, result });
    },
    (error: Error) => {
      process.channel?.ref();
      process.send?.({ id, error: error.stack });
    },
  );
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });
