/** The HTTP API's Lambda: wiring only. */
import { createSecretKey } from 'node:crypto';
import { Logger } from '@aws-lambda-powertools/logger';
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import middy from '@middy/core';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { v7 } from 'uuid';
import * as z from 'zod/mini';
import en from 'zod/v4/locales/en.js';
import { connections } from '../connections/index.ts';
import { connectionDesk } from '../src/admission/operator.ts';
import { type ApiEvent, createApi } from '../src/api/app.ts';
import { dynamoAdmissionStore } from '../src/aws/admission-store.ts';
import { systemClock } from '../src/aws/clock.ts';
import { dynamoCredentialStore } from '../src/aws/credential-store.ts';
import { awsEnvironment } from '../src/aws/environment.ts';
import { logged } from '../src/aws/logged-error.ts';
import { s3PayloadRemoval } from '../src/aws/payload-store.ts';
import { dynamoRunStore } from '../src/aws/run-store.ts';
import { dynamoTokenStore } from '../src/aws/token-store.ts';
import { s3Uploads } from '../src/aws/uploads.ts';
import { registryWith } from '../src/batch/built-in.ts';
import { batchWorkflow } from '../src/batch/workflow.ts';
import { credentialPurpose } from '../src/engine/credential-ports.ts';
import { deploymentKey } from '../src/http/auth/deployment-key.ts';
import { deployedConnection } from '../src/http/connection.ts';
import { seal } from '../src/http/secrecy/seal.ts';
import { workflows } from '../workflows/index.ts';

// zod/mini comes without words: "Invalid input" would not tell a caller what the input must be.
z.config(en());

const { clients, runTable, payloads, wakes, starts, clock, entropy, secrets, settings } = awsEnvironment(process.env);
const isDeveloper = settings.secrets.kind === 'env-file';
const uploads = s3Uploads(clients.s3, settings.payloadsBucket, { clock, entropy });
const version = process.env.HOLDFAST_VERSION;
const logger = new Logger({ serviceName: 'holdfast-api', persistentLogAttributes: { stage: settings.stage } });

function log(event: ApiEvent): void {
  const { type, requestId, ...rest } = event;
  const about = { request: requestId, ...rest };
  if (type === 'api.fault') logger.error('a fault', { ...about, error: logged(event.error) });
  else logger.info(type === 'api.operated' ? 'operated' : 'answered', about);
}

export const handler = middy<APIGatewayProxyEvent, APIGatewayProxyResult>()
  .use(injectLambdaContext(logger))
  .handler(
    createApi({
      store: dynamoRunStore(runTable),
      payloads: { ...payloads, ...s3PayloadRemoval(clients.s3, settings.payloadsBucket) },
      wake: wakes,
      starts,
      uploads,
      registry: registryWith(workflows, (registered) => batchWorkflow({ uploads: async () => uploads, starts, registry: registered })),
      // A request that waits for a run keeps the process alive by itself, not by the luck of a socket that is still open.
      clock: systemClock({ keepAlive: true }),
      entropy,
      newKey: () => v7(),
      tokenHashes: settings.apiTokenHashes,
      // Workflows have them in the bundle anyway.
      connections: connectionDesk({
        store: dynamoAdmissionStore(clients.dynamodb, settings.connectionsTable),
        clock,
        deployed: connections.map(deployedConnection),
      }),
      credentials: {
        ...dynamoCredentialStore(clients.dynamodb, settings.connectionsTable),
        async seal(key, grant) {
          const secret = createSecretKey(await deploymentKey(secrets, { isDeveloper }), 'utf8');
          return seal(secret, credentialPurpose(key), JSON.stringify(grant));
        },
      },
      onWakeFailed: (run, error) => logger.error('a wake could not be sent', { run, error: logged(error) }),
      tokens: dynamoTokenStore(clients.dynamodb, settings.connectionsTable),
      ...(version ? { version } : {}),
      observe: log,
    }),
  );
