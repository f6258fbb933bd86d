/**
 * Runs shell blocks as they stand, one after the other, each by a `bash` of its own that stops at the first failing command.
 * A block marked `background` goes on while the next ones run, once what it serves answers. Ends everything that it started.
 */
import type { Block } from './blocks.ts';
import { type Running, startShell, stop, untilReady } from './process.ts';

export type ShellOptions = {
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Resolves to true when what that background block serves is there. */
  ready: (block: Block) => Promise<boolean>;
  /** Everything that the blocks print, and what is being done. */
  say: (text: string) => void;
  /** Seconds that one block may take. Default 900. */
  limit?: number;
};

/** Names the block, how it ended, and what it printed. */
export class BlockFailed extends Error {
  override readonly name = 'BlockFailed';
}

export async function runBlocks(blocks: readonly Block[], options: ShellOptions): Promise<void> {
  const { say, limit = 900 } = options;
  const background: Array<{ block: Block; running: Running }> = [];
  try {
    for (const [index, block] of blocks.entries()) {
      const began = performance.now();
      const stays = block.flags.includes('background');
      say(`\n[${index + 1}/${blocks.length}] line ${block.line}${stays ? ', in the background' : ''}\n${indented(block.code, '  $ ')}`);
      const running = startShell(block.code, { ...options, print: (text) => say(indented(text, '  | ')) });
      if (stays) {
        background.push({ block, running });
        await untilReady(running, () => options.ready(block)).catch((error: Error) => {
          throw failed(block, running, error.message);
        });
      } else await ending(block, running, limit);
      const gone = background.find(({ running: still }) => still.hasEnded);
      if (gone) throw failed(gone.block, gone.running, 'ended while the others needed it');
      say(`  ok, ${((performance.now() - began) / 1_000).toFixed(1)} s\n`);
    }
  } finally {
    for (const { running } of background.reverse()) await stop(running);
  }
}

async function ending(block: Block, running: Running, limit: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((done) => {
    timer = setTimeout(done, limit * 1_000, `had not ended after ${limit} s`);
  });
  const how = await Promise.race([running.ended, late]);
  clearTimeout(timer);
  if (how === 0) return;
  await stop(running);
  throw failed(block, running, typeof how === 'number' ? `ended with exit code ${how}` : how);
}

function failed(block: Block, running: Running, how: string): BlockFailed {
  return new BlockFailed(`the block in line ${block.line} ${how}. Its output:\n${running.output().trimEnd() || '(none)'}`);
}

function indented(text: string, by: string): string {
  return text.replace(/^(?=[^\n])/gm, by);
}
