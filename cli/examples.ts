/** The end of every command's help: examples to copy. */
export const examples = (...lines: readonly string[]): string => `\nExamples:\n${lines.map((line) => `  npx holdfast ${line}`).join('\n')}`;
