// Prints how many tests passed and failed, over all of Vitest's JSON reports that are named; fails when one of them ran none.
import { readFileSync } from 'node:fs';

const reports = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')));
const sum = (field) => reports.reduce((total, report) => total + (report[field] ?? 0), 0);
const [passed, failed, skipped] = ['numPassedTests', 'numFailedTests', 'numPendingTests'].map(sum);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
const ran = reports.length > 0 && reports.every(({ numPassedTests = 0 }) => numPassedTests > 0);
process.exitCode = ran && failed === 0 && skipped === 0 ? 0 : 1;
