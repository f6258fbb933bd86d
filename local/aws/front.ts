/** One port for every service: tells by the request's head which one it is for. Knows nothing of what they do. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { availability } from './availability.ts';
import { openDynamoDb } from './dynamodb.ts';
import { openSqsAndS3 } from './fauxqs.ts';

export type Service = 'dynamodb' | 'sqs-s3' | 'health';

export function route(request: Pick<IncomingMessage, 'url' | 'headers'>): Service {
  if (request.url === '/_holdfast/health') return 'health';
  const target = request.headers['x-amz-target'];
  return typeof target === 'string' && target.startsWith('DynamoDB_') ? 'dynamodb' : 'sqs-s3';
}

export async function createFront(options: { data?: string; visible: (queues: string[]) => void }): Promise<Server> {
  const at = (name: string) => (options.data === undefined ? {} : { data: join(options.data, name) });
  const [dynamodb, sqsAndS3] = await Promise.all([
    openDynamoDb(at('dynamodb')),
    openSqsAndS3({ ...at('sqs-s3'), availability: availability(options.visible) }),
  ]);
  const services: Record<Service, (request: IncomingMessage, response: ServerResponse) => void> = {
    dynamodb: dynamodb.handle,
    'sqs-s3': sqsAndS3.handle,
    health: (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"ok","services":["dynamodb","s3","sqs"]}');
    },
  };
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => services[route(request)](request, response));
  server.on('close', () => void sqsAndS3.close());
  return server;
}
