import { expect, test } from 'vitest';
import { environmentOf } from '../../cli/settings.ts';

test('the stage localstack is looked for where it is deployed to, and never in a real account', () => {
  expect(environmentOf('localstack', {})).toEqual({ AWS_ENDPOINT_URL: 'http://localhost:4566' });
  expect(environmentOf('localstack', { AWS_ENDPOINT_URL: 'http://127.0.0.1:4599' })).toEqual({ AWS_ENDPOINT_URL: 'http://127.0.0.1:4599' });
  expect(environmentOf('prod', { AWS_REGION: 'eu-west-1' })).toEqual({ AWS_REGION: 'eu-west-1' });
});
