import { defineConfig } from 'vitest/config';

const project = (name: string, timeout: number) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: timeout, hookTimeout: timeout },
});

export default defineConfig({
  test: {
    clearMocks: true,
    projects: [project('unit', 10_000), project('property', 60_000), project('integration', 120_000), project('infra', 60_000)],
  },
});
