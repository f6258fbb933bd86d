/** Which endpoint each service is reached at: AWS's own, unless the environment names another. Pure. */

export type Env = Readonly<Record<string, string | undefined>>;
export type Service = 'DYNAMODB' | 'SQS' | 'S3' | 'SECRETS_MANAGER';

/** As the AWS SDKs and tools read it: `AWS_ENDPOINT_URL_<SERVICE>` before `AWS_ENDPOINT_URL`. */
export function endpointOf(env: Env, service: Service): string | undefined {
  return env[`AWS_ENDPOINT_URL_${service}`] || env.AWS_ENDPOINT_URL || undefined;
}

/** An emulator's queue URLs carry a host of its own making: only their path means something. */
export function queueUrlAt(url: string, endpoint: string | undefined): string {
  return endpoint === undefined ? url : new URL(new URL(url).pathname, endpoint).href;
}
