/** What a check of `doctor` found, and what it may ask. */
import type { Outside } from '../outside.ts';
import type { Settings } from '../settings.ts';

/** `skip`: it cannot be told, or does not matter, because of an earlier finding. */
export type Level = 'ok' | 'warn' | 'fail' | 'skip';

export type Finding = { check: string; level: Level; found: string; remedy?: string };

export type Patient = { outside: Outside; settings: Settings };

export const ok = (check: string, found: string): Finding => ({ check, level: 'ok', found });
export const warn = (check: string, found: string, remedy: string): Finding => ({ check, level: 'warn', found, remedy });
export const fail = (check: string, found: string, remedy: string): Finding => ({ check, level: 'fail', found, remedy });
export const skip = (check: string, found: string): Finding => ({ check, level: 'skip', found });
