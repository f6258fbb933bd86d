import { describe } from 'vitest';
import { memoryCredentialStore } from '../../src/testing/memory-credential-store.ts';
import { credentialStoreContract } from '../support/contracts/credential-store.ts';

describe('the credential store in memory', () => credentialStoreContract(async () => memoryCredentialStore()));
