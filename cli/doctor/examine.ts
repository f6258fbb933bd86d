/** All checks of `doctor` in order; what an earlier one makes pointless is skipped. */
import { LOCAL } from '../settings.ts';
import { checkAccount } from './account.ts';
import { checkDeployment } from './deployment.ts';
import { type Finding, type Patient, skip } from './finding.ts';
import { checkConfig, checkDependencies, checkNode } from './machine.ts';
import { checkPorts } from './ports.ts';

export async function examine(patient: Patient, told: (finding: Finding) => void): Promise<Finding[]> {
  const all: Finding[] = [];
  const tell = (...findings: Finding[]) => {
    for (const finding of findings) {
      all.push(finding);
      told(finding);
    }
  };
  tell(await checkNode(patient));
  tell(await checkDependencies(patient));
  tell(await checkConfig(patient));
  if (patient.settings.stage === LOCAL) {
    tell(...(await checkPorts(patient)));
    tell(skip('account', 'the stage local needs none'));
    tell(...(await checkDeployment(patient, undefined)));
    return all;
  }
  const { findings, stack } = await checkAccount(patient);
  tell(...findings, ...(await checkDeployment(patient, stack)));
  return all;
}
