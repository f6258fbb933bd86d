/** A REST API's routes: the tree of resources with their methods, as paths. */
import type { ApiDescription, FunctionDescription, RouteDescription } from './description.ts';
import { functionOf } from './functions.ts';
import type { Properties, Template, Value } from './intrinsics.ts';
import type { Reader } from './reader.ts';

type Tools = {
  template: Template;
  resolve: (value: Value | undefined, where: string) => Value;
  functions: readonly FunctionDescription[];
};

export function describeApi(read: Reader, id: string, { template, resolve, functions }: Tools): ApiDescription {
  const ofType = (type: string) => Object.entries(template.Resources).filter(([, resource]) => resource.Type === type);
  const property = (logicalId: string, properties: Properties | undefined, name: string) =>
    resolve(properties?.[name], `${logicalId}.${name}`);

  const pathOf = (resourceId: string): string => {
    if (resourceId === `${id}/root`) return '';
    const properties = template.Resources[resourceId]?.Properties;
    const parent = property(resourceId, properties, 'ParentId');
    return `${pathOf(String(parent))}/${String(property(resourceId, properties, 'PathPart'))}`;
  };

  const routes: RouteDescription[] = [];
  for (const [methodId, { Properties: properties }] of ofType('AWS::ApiGateway::Method')) {
    if (property(methodId, properties, 'RestApiId') !== id) continue;
    const integration = property(methodId, properties, 'Integration') as { Type?: string; Uri?: string } | null;
    const arn = /functions\/(arn:[^/]+)\/invocations$/.exec(integration?.Uri ?? '')?.[1];
    const target = functionOf(arn ?? '', functions);
    if (integration?.Type !== 'AWS_PROXY' || !target) {
      read.fail(methodId, 'must be a proxy integration (AWS_PROXY) with a function of this template');
    }
    routes.push({
      path: pathOf(String(property(methodId, properties, 'ResourceId'))) || '/',
      method: String(property(methodId, properties, 'HttpMethod')),
      functionName: target?.name as string,
    });
  }

  const stages = ofType('AWS::ApiGateway::Stage').filter(([stageId, stage]) => property(stageId, stage.Properties, 'RestApiId') === id);
  const [stage] = stages;
  return {
    id,
    name: String(read.value('Name') ?? id),
    stage: stage ? String(property(stage[0], stage[1].Properties, 'StageName')) : 'local',
    binaryMediaTypes: read.list('BinaryMediaTypes').map(String),
    routes,
  };
}
