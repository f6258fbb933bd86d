/** Names that others must know before there is a stack. */

export const stackName = (stage: string): string => `holdfast-${stage}`;
export const templateFile = (stage: string): string => `${stackName(stage)}.template.json`;

/** The stage of `npm start`: its template is read by the embedded cloud and never deployed. */
export const EMBEDDED_STAGE = 'local';
/** The stage of `npm run deploy:local`, with a token that everybody knows. */
export const LOCALSTACK_STAGE = 'localstack';
