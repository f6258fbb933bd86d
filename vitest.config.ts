import { defineConfig } from 'vitest/config';

const project = (name: string, timeout: number) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: timeout, hookTimeout: timeout },
});

const report = process.env.HOLDFAST_TEST_REPORT;
/** Only when it is asked for by name: it needs an AWS API to deploy to, and `npm test` needs nothing but npm. */
const localstack = process.argv.some((argument) => /^(--project=)?localstack$/.test(argument));

export default defineConfig({
  test: {
    clearMocks: true,
    projects: [
      project('unit', 20_000),
      project('property', 120_000),
      project('integration', 180_000),
      project('infra', 120_000),
      {
        extends: true,
        test: {
          name: 'types',
          include: [],
          typecheck: { enabled: true, only: true, include: ['test/types/**/*.test-d.ts'], tsconfig: './tsconfig.json' },
        },
      },
      ...(localstack
        ? [
            {
              extends: true as const,
              test: {
                ...project('localstack', 300_000).test,
                globalSetup: 'test/support/localstack/setup.ts',
                maxConcurrency: 20,
                maxWorkers: 4,
              },
            },
          ]
        : []),
    ],
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
  },
});
