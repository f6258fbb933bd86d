/** Deletes several things one after the other: one that is refused does not keep the others. */
import { CliError, EXIT } from './errors.ts';
import type { Tools } from './tools.ts';

export async function deleteEach(tools: Tools, ids: readonly string[], pathOf: (id: string) => string): Promise<number> {
  const api = await tools.api();
  const deleted: string[] = [];
  const refused: Array<{ id: string; reason: string }> = [];
  for (const id of ids) {
    try {
      await api.delete(pathOf(id));
      deleted.push(id);
    } catch (error) {
      if (!(error instanceof CliError) || error.exit !== EXIT.failed) throw error;
      refused.push({ id, reason: error.message });
      tools.note(`${id}: ${error.message}`);
    }
  }
  tools.answer({ deleted, refused }, () => deleted.map((id) => `deleted ${id}`).join('\n') || 'deleted nothing');
  return refused.length === 0 ? EXIT.done : EXIT.failed;
}
