/** What every command is given: the settings of its command line, the API, and a way to speak. */
import { styleText } from 'node:util';
import type { Command } from 'commander';
import { type Api, apiClient } from './api.ts';
import type { Outside } from './outside.ts';
import { environmentOf, type GlobalOptions, readSettings, type Settings } from './settings.ts';

export type Style = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold';
export type Paint = (style: Style, text: string) => string;

export type Tools = {
  readonly outside: Outside;
  settings(): Settings;
  /** Finds the API by the settings, asking CloudFormation if that is where its URL is. */
  api(): Promise<Api>;
  /** For stdout: `text` for people, or `data` as one JSON document with --json. */
  answer(data: unknown, text: () => string): void;
  /** For stderr: everything that is not the answer. */
  note(text: string): void;
  /** Colours for stdout, and for stderr. */
  readonly paint: Paint;
  readonly paintNote: Paint;
};

export function toolsOf(program: Command, given: Outside): Tools {
  const settings = () => readSettings(program.opts<GlobalOptions>(), given.env);
  const outside: Outside = {
    ...given,
    get env() {
      return environmentOf(settings().stage, given.env);
    },
  };
  return {
    outside,
    settings,
    async api() {
      const { stage, url, token } = settings();
      if (url !== undefined) return apiClient({ url, token, stage });
      const { apiUrlOfStage } = await import('./aws/stack.ts');
      return apiClient({ url: await apiUrlOfStage(stage, outside.env), token, stage });
    },
    answer(data, text) {
      outside.stdout.write(`${settings().json ? JSON.stringify(data) : text()}\n`);
    },
    note: (text) => void outside.stderr.write(`${text}\n`),
    paint: painter(given.stdout, given.env),
    paintNote: painter(given.stderr, given.env),
  };
}

/** On a terminal alone, and not where NO_COLOR (no-color.org) forbids it. */
function painter(stream: { isTTY?: boolean }, env: Outside['env']): Paint {
  if (stream.isTTY !== true || env.NO_COLOR || env.TERM === 'dumb') return (_style, text) => text;
  return (style, text) => styleText(style, text, { validateStream: false });
}
