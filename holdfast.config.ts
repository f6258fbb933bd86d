/** The stages this project is deployed to, and what differs between them. */
import { createHash } from 'node:crypto';
import { defineConfig } from './infra/config.ts';

const loopback = `http://127.0.0.1:${process.env.HOLDFAST_DEMO_PORT || 3001}`;
/** Each API of the demo under its name; its site is at the root, since that is where a robots.txt is. */
const demo = (base: string) => ({
  ...Object.fromEntries(['crm', 'billing', 'mailer', 'registry', 'summariser'].map((name) => [name, `${base}/${name}`])),
  site: base,
});
const localDev = createHash('sha256').update('local-dev').digest('hex');

export default defineConfig({
  stages: {
    // A developer's machine: the demo API, a token that everybody knows, secrets in a file, and leave to call loopback.
    local: {
      vars: demo(loopback),
      // A worker that dies keeps its runs for as long as its invocation could have gone on: on a laptop, people wait for that.
      worker: { timeout: Number(process.env.HOLDFAST_WORKER_TIMEOUT || 60) },
      retentionDays: 7,
      allow: ['127.0.0.0/8'],
      secrets: 'env-file:.env.local',
      auth: { tokenHashes: [localDev] },
      disposable: true,
    },
    // The same, deployed by `npm run deploy:local` to whatever serves the LocalStack API; `npm run demo` is what it calls.
    localstack: {
      // Functions in containers reach this machine by another name, http://host.docker.internal:3001 say.
      vars: demo(process.env.HOLDFAST_DEMO_URL || loopback),
      worker: { timeout: 30 },
      retentionDays: 7,
      // Loopback, and the networks that containers are in.
      allow: ['127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
      auth: { tokenHashes: [localDev] },
      disposable: true,
    },
    dev: {
      vars: {
        crm: 'https://sandbox.crm.example',
        billing: 'https://sandbox.billing.example',
        mailer: 'https://sandbox.mailer.example',
        registry: 'https://sandbox.registry.example',
        site: 'https://www.site.example',
        summariser: 'https://sandbox.summariser.example',
      },
      auth: { tokenHashes: { env: 'HOLDFAST_API_TOKEN_SHA256' } },
    },
    prod: {
      vars: {
        crm: 'https://api.crm.example',
        billing: 'https://api.billing.example',
        mailer: 'https://api.mailer.example',
        registry: 'https://api.registry.example',
        site: 'https://www.site.example',
        summariser: 'https://api.summariser.example',
      },
      worker: { memory: 1_769, maximumConcurrency: 50 },
      retentionDays: 90,
      auth: { tokenHashes: { env: 'HOLDFAST_API_TOKEN_SHA256' } },
    },
  },
});
