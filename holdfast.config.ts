/** The stages this project is deployed to, and what differs between them. */
import { createHash } from 'node:crypto';
import { defineConfig } from './infra/config.ts';

const demo = `http://127.0.0.1:${process.env.HOLDFAST_DEMO_PORT || 3001}`;

export default defineConfig({
  stages: {
    // A developer's machine: the demo API, a token that everybody knows, secrets in a file, and leave to call loopback.
    local: {
      vars: { crm: `${demo}/crm`, billing: `${demo}/billing`, mailer: `${demo}/mailer` },
      // A worker that dies keeps its runs for as long as its invocation could have gone on: on a laptop, people wait for that.
      worker: { timeout: Number(process.env.HOLDFAST_WORKER_TIMEOUT || 60) },
      retentionDays: 7,
      allow: ['127.0.0.0/8'],
      secrets: 'env-file:.env.local',
      auth: { tokenHashes: [createHash('sha256').update('local-dev').digest('hex')] },
      disposable: true,
    },
    dev: {
      vars: {
        crm: 'https://sandbox.crm.example',
        billing: 'https://sandbox.billing.example',
        mailer: 'https://sandbox.mailer.example',
      },
      auth: { tokenHashes: { env: 'HOLDFAST_API_TOKEN_SHA256' } },
    },
    prod: {
      vars: { crm: 'https://api.crm.example', billing: 'https://api.billing.example', mailer: 'https://api.mailer.example' },
      worker: { memory: 1_769, maximumConcurrency: 50 },
      retentionDays: 90,
      auth: { tokenHashes: { env: 'HOLDFAST_API_TOKEN_SHA256' } },
    },
  },
});
