/** Names that others must know before there is a stack. */

export const stackName = (stage: string): string => `holdfast-${stage}`;
export const templateFile = (stage: string): string => `${stackName(stage)}.template.json`;
