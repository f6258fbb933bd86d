// Prints how many tests passed and failed, from Vitest's JSON report; fails when none ran.
import { readFileSync } from 'node:fs';

const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0 } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
console.log(`${numPassedTests} passed, ${numFailedTests} failed${numPendingTests > 0 ? `, ${numPendingTests} skipped` : ''}`);
process.exitCode = numPassedTests > 0 && numFailedTests === 0 && numPendingTests === 0 ? 0 : 1;
