/** What an environment is started with: the module that the handler names, and the variables that Lambda sets. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { REGION } from '../aws/client.ts';
import type { FunctionDescription } from '../template/description.ts';

export function entryOf(fn: FunctionDescription): { entry: string; exportName: string } {
  const dot = fn.handler.lastIndexOf('.');
  const base = join(fn.assetPath, fn.handler.slice(0, dot));
  const file = ['.mjs', '.js', '.cjs'].map((extension) => base + extension).find(existsSync) ?? `${base}.mjs`;
  return { entry: pathToFileURL(file).href, exportName: fn.handler.slice(dot + 1) };
}

type Sources = { function: FunctionDescription; id: string; variables: Record<string, string> };

/** Nothing of this machine's environment but the path: what a function needs, its template must give it. */
export function variablesOf({ function: fn, id, variables }: Sources): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    ...fn.environment,
    ...variables,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: fn.name,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(fn.memoryMb),
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${fn.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: id,
    LAMBDA_TASK_ROOT: fn.assetPath,
    _HANDLER: fn.handler,
  };
}
