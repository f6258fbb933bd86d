/** Before all files of the suite: finds the endpoint, says which one it is, and bootstraps it. After them: ends what was started. */
import type { TestProject } from 'vitest/node';
import { cdklocal } from './cdk.ts';
import { findEndpoint, type Reachable } from './endpoint.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    endpoint: Reachable;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const say = (text: string) => console.log(`localstack suite: ${text}`);
  const endpoint = await findEndpoint(process.env, say);
  say(`runs against ${endpoint.what}`);
  try {
    await cdklocal(endpoint.url).bootstrap();
  } catch (error) {
    await endpoint.stop();
    throw error;
  }
  project.provide('endpoint', { url: endpoint.url, make: endpoint.make, tests: endpoint.tests });
  return endpoint.stop;
}
