/** What the CDK's CLI would put into the app's context: here, so that a synthesis without it gives the same template. */

export const CONTEXT: Readonly<Record<string, unknown>> = {
  // The folder of each bundle goes into the template, where the embedded cloud finds it.
  'aws:cdk:enable-asset-metadata': true,
  // Statements with the same resource become one.
  '@aws-cdk/aws-iam:minimizePolicies': true,
  // What breaks CloudFormation's schemas is an error, found before anything is uploaded, and not a warning.
  '@aws-cdk/core:validateAgainstDefaultRules': true,
};
