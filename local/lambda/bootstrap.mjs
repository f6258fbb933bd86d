/**
 * Runs inside an environment's process: loads the bundle once, then answers one invocation at a time. What Lambda's runtime client does.
 * Plain JavaScript, because loading the type stripper would cost every environment 15 MB and some of its start.
 * @import { BootstrapOptions, FromEnvironment, FunctionFault, ToEnvironment } from './protocol.ts'
 */

/** @type {BootstrapOptions} */
const options = JSON.parse(/** @type {string} */ (process.argv[2]));

/** @param {FromEnvironment} message @param {() => void} [sent] */
const tell = (message, sent = () => undefined) => void process.send?.(message, sent);

/** @param {unknown} error @returns {FunctionFault} */
function faultOf(error) {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), stack: [] };
  return { errorType: error.name, errorMessage: error.message, stack: (error.stack ?? '').split('\n').slice(1, 20) };
}

/** @param {ToEnvironment} invocation */
const contextOf = ({ requestId, deadline }) => ({
  callbackWaitsForEmptyEventLoop: true,
  functionName: options.functionName,
  functionVersion: '$LATEST',
  invokedFunctionArn: options.functionArn,
  memoryLimitInMB: String(options.memoryMb),
  awsRequestId: requestId,
  logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
  logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
  getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
});

/** @param {FunctionFault} error */
const crash = (error) => {
  tell({ type: 'crash', error }, () => process.exit(1));
};

// As Lambda's own runtime does; a function that wants to judge for itself takes these listeners off, there as here.
process.on('uncaughtException', (error) => crash(faultOf(error)));
process.on('unhandledRejection', (reason) => crash({ ...faultOf(reason), errorType: 'Runtime.UnhandledPromiseRejection' }));

// The process that invokes is gone, and with it whoever would wait for an answer.
process.on('disconnect', () => process.exit(1));
// Ctrl-C reaches the whole process group, but it is the pool that says when an environment ends.
process.on('SIGINT', () => undefined);

async function load() {
  const module = await import(options.entry);
  const handler = module[options.exportName] ?? module.default?.[options.exportName];
  if (typeof handler !== 'function') throw new Error(`${options.entry} exports no function "${options.exportName}"`);
  return handler;
}

try {
  const handler = await load();
  process.on('message', async (/** @type {ToEnvironment} */ invocation) => {
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
  crash(faultOf(error));
}
