/** The template of a stage, with functions of a line each: what it says does not depend on what is bundled. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { App } from 'aws-cdk-lib/core';
import { type Config, resolveStage } from '../../../infra/config.ts';
import { CONTEXT } from '../../../infra/context.ts';
import { HoldfastStack } from '../../../infra/stack.ts';

export type Resource = { Type: string; Properties: Record<string, unknown>; DeletionPolicy?: string };

export const VERSION = '0.0.0-test';

export function templateOf(config: Config, name: string, env: Record<string, string> = {}): Template {
  return Template.fromStack(stackOf(config, name, env));
}

export function stackOf(config: Config, name: string, env: Record<string, string> = {}): HoldfastStack {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-infra-'));
  const code = join(dir, 'code');
  mkdirSync(code);
  writeFileSync(join(code, 'index.mjs'), 'export const handler = async () => {};\n');
  const app = new App({ outdir: join(dir, 'out'), context: CONTEXT, analyticsReporting: false, autoSynth: false });
  const bundles = { worker: code, api: code, sweeper: code, 'dead-letters': code };
  return new HoldfastStack(app, resolveStage(config, name, env), { bundles, version: VERSION });
}

export function resources(template: Template, type: string): Record<string, Resource> {
  return template.findResources(type) as Record<string, Resource>;
}

/** The one resource of a type with a property of that value. */
export function named(template: Template, type: string, property: string, value: string): { id: string; resource: Resource } {
  const found = Object.entries(resources(template, type)).filter(([, { Properties }]) => Properties[property] === value);
  if (found.length !== 1) throw new Error(`${found.length} resources of ${type} have ${property} ${value}`);
  const [id, resource] = found[0] as [string, Resource];
  return { id, resource };
}

type Statement = {
  Effect: string;
  Action: string | string[];
  Resource: unknown;
  Condition?: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': string[] } };
};

/** What a function's role allows: action → resources, as readable text. */
export function allowed(template: Template, functionName: string): Record<string, string[]> {
  const { resource } = named(template, 'AWS::Lambda::Function', 'FunctionName', functionName);
  const role = (resource.Properties.Role as { 'Fn::GetAtt': [string] })['Fn::GetAtt'][0];
  const result: Record<string, string[]> = {};
  for (const { Properties } of Object.values(resources(template, 'AWS::IAM::Policy'))) {
    const { Roles, PolicyDocument } = Properties as { Roles: { Ref: string }[]; PolicyDocument: { Statement: Statement[] } };
    if (!Roles.some(({ Ref }) => Ref === role)) continue;
    for (const { Effect, Action, Resource, Condition } of PolicyDocument.Statement) {
      const partitions = Condition?.['ForAllValues:StringLike']['dynamodb:LeadingKeys'];
      const within = partitions === undefined ? '' : `, partitions ${partitions.map((one) => one.replace('*', '…')).join(' ')}`;
      if (Effect !== 'Allow') throw new Error(`a statement that is not Allow: ${JSON.stringify(Action)}`);
      for (const action of [Action].flat()) {
        for (const target of [Resource].flat()) {
          result[action] ??= [];
          result[action].push(readable(template, target) + within);
        }
      }
    }
  }
  return Object.fromEntries(Object.entries(result).map(([action, targets]) => [action, targets.sort()]));
}

/** An ARN expression by the names that people know. */
function readable(template: Template, value: unknown): string {
  if (typeof value === 'string') return value;
  const [[kind, argument]] = Object.entries(value as object) as [[string, unknown]];
  if (kind === 'Ref') return `<${String(argument)}>`;
  if (kind === 'Fn::GetAtt') {
    const [id] = argument as [string];
    const { Properties = {} } = (template.toJSON().Resources as Record<string, Resource>)[id] as Resource;
    const name = Properties.QueueName ?? Properties.TableName ?? Properties.LogGroupName ?? id.replace(/[\dA-F]{8}$/, '');
    return String(name);
  }
  if (kind === 'Fn::Join') return (argument as [string, unknown[]])[1].map((part) => readable(template, part)).join('');
  throw new Error(`${kind} in a policy`);
}
