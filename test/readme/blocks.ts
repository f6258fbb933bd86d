/** The fenced code blocks of a Markdown text. Knows nothing of what is done with them. */

export type Block = {
  /** First word of the info string: `ts`, `sh`, `json`. */
  language: string;
  /** The other words: `background`. */
  flags: readonly string[];
  code: string;
  /** Line of the opening fence, 1 for the first. */
  line: number;
};

const FENCE = /^(`{3,}|~{3,})\s*(.*?)\s*$/;

/** Throws when a block is not closed: everything after it would silently be no prose. */
export function codeBlocks(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { fence: string; block: Block; lines: string[] } | undefined;
  for (const [index, text] of markdown.split('\n').entries()) {
    const [, fence = '', info = ''] = FENCE.exec(text) ?? [];
    if (open) {
      if (info === '' && fence.startsWith(open.fence)) {
        blocks.push({ ...open.block, code: `${open.lines.join('\n')}\n` });
        open = undefined;
      } else open.lines.push(text);
    } else if (fence !== '') {
      const [language = '', ...flags] = info.split(/\s+/);
      open = { fence, block: { language, flags, code: '', line: index + 1 }, lines: [] };
    }
  }
  if (open) throw new Error(`the code block that begins in line ${open.block.line} is not closed`);
  return blocks;
}

/** Where a block says on its first line which file it is: `// connections/crm.ts`. */
export function fileOf(block: Block): string | undefined {
  return /^\/\/ ([\w./-]+\.ts)(?:\s|$)/.exec(block.code)?.[1];
}

/** The targets of links, without those on the web. */
export function localLinks(markdown: string): string[] {
  const prose = markdown.replace(/^(`{3,}|~{3,})[^\n]*\n[\s\S]*?^\1\s*$/gm, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target as string).filter((target) => !/^[a-z]+:/.test(target));
}
