/** Runs inside an environment's thread: loads the bundle once, then answers one invocation at a time. What Lambda's runtime client does. */
import { parentPort, workerData } from 'node:worker_threads';
import type { BootstrapOptions, FromEnvironment, FunctionFault, ToEnvironment } from './protocol.ts';

const options = workerData as BootstrapOptions;
const port = parentPort as NonNullable<typeof parentPort>;
const tell = (message: FromEnvironment) => port.postMessage(message);

type Handler = (event: unknown, context: object) => unknown;

function faultOf(error: unknown): FunctionFault {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), stack: [] };
  return { errorType: error.name, errorMessage: error.message, stack: (error.stack ?? '').split('\n').slice(1, 20) };
}

function contextOf({ requestId, deadline }: ToEnvironment): object {
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: options.functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: options.functionArn,
    memoryLimitInMB: String(options.memoryMb),
    awsRequestId: requestId,
    logGroupName: `/aws/lambda/${options.functionName}`,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

async function load(): Promise<Handler> {
  const module = (await import(options.entry)) as Record<string, unknown> & { default?: Record<string, unknown> };
  const handler = module[options.exportName] ?? module.default?.[options.exportName];
  if (typeof handler !== 'function') throw new Error(`${options.entry} exports no function "${options.exportName}"`);
  return handler as Handler;
}

try {
  const handler = await load();
  port.on('message', async (invocation: ToEnvironment) => {
    const { requestId } = invocation;
    try {
      const result = await handler(JSON.parse(invocation.event), contextOf(invocation));
      tell({ type: 'result', requestId, result: JSON.stringify(result) ?? 'null' });
    } catch (error) {
      tell({ type: 'error', requestId, error: faultOf(error) });
    }
  });
  tell({ type: 'ready' });
} catch (error) {
  tell({ type: 'init-error', error: faultOf(error) });
}
