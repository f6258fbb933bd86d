/** The AWS clients, configured so that no request looks into files and all share one HTTP layer. S3 and Secrets Manager load when first used. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SQSClient } from '@aws-sdk/client-sqs';
import { HoldfastError } from '../engine/errors.ts';
import { type Env, endpointOf, type Service } from './endpoints.ts';
import { signer } from './signer.ts';
import { type UndiciHandler, undiciHandler } from './undici-handler.ts';

export type Clients = {
  readonly dynamodb: DynamoDBClient;
  readonly sqs: SQSClient;
  s3(): Promise<S3Client>;
  secretsManager(): Promise<SecretsManagerClient>;
  /** Closes the sockets. */
  destroy(): void;
};

/** The first and three more: about two seconds with the SDK's own back-off. */
const MAX_ATTEMPTS = 4;
/**
 * A third of a client's time, for nothing: the one copies every input and output for a logger that is not there, the other tells AWS
 * with each request anew which of the SDK's features made it. The handler says who we are.
 */
const NEEDLESS = ['loggerMiddleware', 'getUserAgentMiddleware'] as const;

export function awsClients(env: Env, handler: UndiciHandler = undiciHandler()): Clients {
  const streaming = undiciHandler({ streams: true });
  let s3: Promise<S3Client> | undefined;
  let secretsManager: Promise<SecretsManagerClient> | undefined;
  const dynamodb = new DynamoDBClient({
    ...common(env, 'DYNAMODB'),
    requestHandler: handler,
    accountIdEndpointMode: 'disabled',
    endpointDiscoveryEnabled: false,
    cacheMiddleware: true,
    signer: signer({ credentials: () => dynamodb.config.credentials(), region: regionOf(env, 'DYNAMODB'), service: 'dynamodb' }),
  });
  // The md5 of a message is a second hash of what TLS has already protected.
  const sqs = new SQSClient({
    ...common(env, 'SQS'),
    requestHandler: handler,
    md5: false,
    useQueueUrlAsEndpoint: false,
    cacheMiddleware: true,
    signer: signer({ credentials: () => sqs.config.credentials(), region: regionOf(env, 'SQS'), service: 'sqs' }),
  });
  for (const name of NEEDLESS) {
    dynamodb.middlewareStack.remove(name);
    sqs.middlewareStack.remove(name);
  }
  return {
    dynamodb,
    sqs,
    s3: () => {
      s3 ??= import('@aws-sdk/client-s3').then(
        ({ S3Client }) =>
          new S3Client({
            ...common(env, 'S3'),
            requestHandler: streaming,
            forcePathStyle: endpointOf(env, 'S3') !== undefined,
            requestChecksumCalculation: 'WHEN_REQUIRED',
            responseChecksumValidation: 'WHEN_REQUIRED',
          }),
      );
      return s3;
    },
    secretsManager: () => {
      secretsManager ??= import('@aws-sdk/client-secrets-manager').then(
        ({ SecretsManagerClient }) => new SecretsManagerClient({ ...common(env, 'SECRETS_MANAGER'), requestHandler: handler }),
      );
      return secretsManager;
    },
    destroy: () => {
      handler.destroy();
      streaming.destroy();
    },
  };
}

function common(env: Env, service: Service) {
  const endpoint = endpointOf(env, service);
  const credentials = credentialsOf(env, endpoint);
  return {
    region: regionOf(env, service),
    maxAttempts: MAX_ATTEMPTS,
    retryMode: 'standard' as const,
    defaultsMode: 'standard' as const,
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    userAgentAppId: 'holdfast',
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

function regionOf(env: Env, service: Service): string {
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION;
  if (region) return region;
  if (endpointOf(env, service) !== undefined) return 'us-east-1';
  throw new HoldfastError('E_BAD_OPTION', 'AWS_REGION is not set: name the region of the stack', { detail: { field: 'AWS_REGION' } });
}

/** Lambda keeps its role's credentials in the environment for as long as the environment lives. An emulator takes any. */
function credentialsOf(env: Env, endpoint: string | undefined) {
  const accessKeyId = env.AWS_ACCESS_KEY_ID;
  const secretAccessKey = env.AWS_SECRET_ACCESS_KEY;
  if (accessKeyId && secretAccessKey) {
    return { accessKeyId, secretAccessKey, ...(env.AWS_SESSION_TOKEN ? { sessionToken: env.AWS_SESSION_TOKEN } : {}) };
  }
  return endpoint === undefined || env.AWS_PROFILE ? undefined : { accessKeyId: 'local', secretAccessKey: 'local' };
}
