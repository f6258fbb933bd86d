/** Leaves out of a bundle what can never run in it. Build-time only: what is left out is found missing at build or load, never later. */
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';

const LEAN_UNDICI = fileURLToPath(new URL('lean-undici.mjs', import.meta.url));

/** The switch by which undici itself leaves out its experimental second parser when Node bundles it. */
export const LEAN_DEFINE = { esbuildDetection: '1' };

export const lean: Plugin = {
  name: 'lean',
  setup(build) {
    build.onResolve({ filter: /^undici$/ }, () => ({ path: LEAN_UNDICI }));
    // Only what somebody imports of it is kept: undici does not say of itself that its files can be left out.
    build.onResolve({ filter: /^undici\/lib\// }, async ({ path, importer, resolveDir, kind, pluginData }) => {
      if (importer !== LEAN_UNDICI || pluginData === 'resolved') return undefined;
      return { ...(await build.resolve(path, { resolveDir, kind, importer, pluginData: 'resolved' })), sideEffects: false };
    });
    // The parser for processors without SIMD: Lambda has none, nor has any that Node 24 runs on.
    build.onLoad({ filter: /undici[\\/]lib[\\/]llhttp[\\/]llhttp-wasm\.js$/ }, () => ({
      contents: `throw new Error('the HTTP parser for processors without SIMD was left out of this bundle');`,
    }));
  },
};
