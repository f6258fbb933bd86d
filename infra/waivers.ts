/** The rules of cdk-nag's AWS Solutions that this stack breaks on purpose: which, where and why. All of them are here. */
import { type CfnElement, Stack, Validations } from 'aws-cdk-lib/core';
import type { IConstruct } from 'constructs';
import { type Stage, secretsPrefix } from './config.ts';
import { DEPLOYMENT_KEY } from './constructs/deployment-key.ts';

export type Waiver = {
  rule: string;
  /** Paths below the stack; everything under them is meant. */
  at: readonly string[];
  reason: string;
};

const API = 'HttpApi/Rest';
const role = (name: string) => `Functions/${name}/Role`;

export function waivers(stack: Stack, stage: Stage): Waiver[] {
  const prefix = secretsPrefix(stage);
  return [
    {
      rule: 'AwsSolutions-APIG1',
      at: [API],
      reason: 'Access logs need a role for the whole account, which is not one stack’s to set. The function logs every request itself.',
    },
    {
      rule: 'AwsSolutions-APIG6',
      at: [API],
      reason: 'Execution logs need the same account-wide role. Requests, their status and their faults are in the function’s log.',
    },
    {
      rule: 'AwsSolutions-APIG2',
      at: [API],
      reason: 'The function validates every request by the schemas that its OpenAPI description is made from; API Gateway knows no routes.',
    },
    {
      rule: 'AwsSolutions-APIG3',
      at: [API],
      reason:
        'A web ACL costs $5 a month and more, and its rules are the account’s choice: associate one with the stage where it is wanted.',
    },
    {
      rule: 'AwsSolutions-APIG4',
      at: [API],
      reason: 'The function checks the bearer token of every request but those to /healthz, which gives away nothing.',
    },
    {
      rule: 'AwsSolutions-COG4',
      at: [API],
      reason: 'The callers are programs with tokens of limited scope, not people with passwords: there is no user pool.',
    },
    {
      rule: 'AwsSolutions-S1',
      at: ['Payloads'],
      reason:
        'Only the functions of this stack read the bucket, by their roles. Access logs would need a second bucket that grows for ever.',
    },
    {
      rule: `AwsSolutions-IAM5[Resource::<${logicalId(stack, 'Payloads/Bucket')}.Arn>/*]`,
      at: [role('worker'), role('api'), role('dead-letters')],
      reason: 'Objects are named after runs and content: the bucket, which holds nothing else, is as narrow as it gets.',
    },
    ...(prefix === undefined
      ? []
      : [
          {
            rule: 'AwsSolutions-SMG4',
            at: ['DeploymentKey'],
            reason: 'Idempotency keys are derived from it: with another key, an API would take a repeated call for a new one.',
          },
          {
            rule: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:${prefix}*]`,
            at: [role('worker')],
            reason: 'Users name their secrets under the prefix of the stage, and Secrets Manager adds a suffix of its own to each name.',
          },
          {
            rule: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:${prefix}${DEPLOYMENT_KEY}-*]`,
            at: [role('api')],
            reason:
              'One secret alone, with which credentials of accounts are encrypted; Secrets Manager adds a suffix of its own to its name.',
          },
        ]),
    ...(stage.disposable
      ? [
          {
            rule: 'AwsSolutions-DDB3',
            at: ['Tables'],
            reason: 'A disposable stage holds nothing that anybody would want restored.',
          },
        ]
      : []),
  ];
}

/** Throws for a waiver of something that is not there any more. */
export function waive(stack: Stack, stage: Stage): void {
  for (const { rule, at, reason } of waivers(stack, stage)) {
    for (const path of at) Validations.of(construct(stack, path)).acknowledge({ id: rule, reason });
  }
}

function construct(stack: Stack, path: string): IConstruct {
  const found = path.split('/').reduce<IConstruct | undefined>((scope, id) => scope?.node.tryFindChild(id), stack);
  if (!found) throw new Error(`infra/waivers.ts: there is no ${path} in ${stack.stackName}: take the waiver out`);
  return found;
}

function logicalId(stack: Stack, path: string): string {
  return Stack.of(stack).getLogicalId(construct(stack, path).node.defaultChild as CfnElement);
}
