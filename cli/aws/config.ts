/** How the commands reach AWS: region, endpoint and credentials as every AWS tool finds them; an emulator takes any credentials. */

export type Env = Readonly<Record<string, string | undefined>>;

export const endpointOf = (env: Env, service: string): string | undefined =>
  env[`AWS_ENDPOINT_URL_${service}`] || env.AWS_ENDPOINT_URL || undefined;

/** What the SDK would take from the environment, `us-east-1` under an endpoint; undefined leaves it to the SDK's own files. */
export const regionOf = (env: Env, endpoint: string | undefined): string | undefined =>
  env.AWS_REGION || env.AWS_DEFAULT_REGION || (endpoint === undefined || env.AWS_PROFILE ? undefined : 'us-east-1');

/** An answer within these, or it is called down: the SDK's own patience is for servers, not for people. */
const CONNECT_MS = 5_000;
const REQUEST_MS = 20_000;

export function clientConfig(env: Env, service: string, fallback?: string) {
  const endpoint = endpointOf(env, service) ?? fallback;
  const region = regionOf(env, endpoint);
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = env;
  const given = accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) } : undefined;
  const credentials = given ?? (endpoint === undefined || env.AWS_PROFILE ? undefined : { accessKeyId: 'test', secretAccessKey: 'test' });
  return {
    maxAttempts: 2,
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS },
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}
