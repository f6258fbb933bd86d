/** JSON from the command line: written out, `@file`, or `-` for stdin. Errors name the option. */
import { readFile } from 'node:fs/promises';
import { usage } from './errors.ts';
import type { Outside } from './outside.ts';

export async function readInput(option: string, given: string, { stdin }: Pick<Outside, 'stdin'>): Promise<unknown> {
  const text = given === '-' ? await readAll(stdin) : given.startsWith('@') ? await readText(option, given.slice(1)) : given;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const from = given === '-' ? ' from stdin' : given.startsWith('@') ? ` in ${given.slice(1)}` : '';
    throw usage(
      `${option}${from} is not JSON: ${(error as Error).message}`,
      `Write it as ${option} '{"key":"value"}', ${option} @file.json, or ${option} - for stdin`,
    );
  }
}

async function readText(option: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw usage(`${option}: ${file} cannot be read: ${(error as Error).message}`);
  }
}

export async function readAll(stdin: Outside['stdin']): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

/** A parser for commander: a whole number within limits. */
export const whole =
  (option: string, from: number, to: number) =>
  (given: string): number => {
    const number = Number(given);
    if (!/^\d+$/.test(given) || number < from || number > to)
      throw usage(`${option} must be a whole number from ${from} to ${to}, not ${given}`);
    return number;
  };
