/** A topic of the stage's own for its alarms, with one address that is told: encrypted, by TLS alone. */
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Aws, Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';

export class AlarmTopic extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, stage: string, email: string) {
    super(scope, id);
    const cloudwatch = new ServicePrincipal('cloudwatch.amazonaws.com');
    const ours = { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } };
    // AWS's own key for SNS does not let alarms publish: it has to be one of ours, at $1 a month.
    const key = new Key(this, 'Key', {
      description: `Holdfast, stage ${stage}: encrypts the alarms' topic`,
      enableKeyRotation: true,
      pendingWindow: Duration.days(7),
      removalPolicy: RemovalPolicy.DESTROY,
    });
    key.addToResourcePolicy(
      new PolicyStatement({
        principals: [cloudwatch],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        resources: ['*'],
        conditions: ours,
      }),
    );
    this.topic = new Topic(this, 'Topic', { topicName: `holdfast-${stage}-alarms`, masterKey: key, enforceSSL: true });
    // The policy that enforces TLS takes the place of the one that let the account publish.
    this.topic.addToResourcePolicy(
      new PolicyStatement({ principals: [cloudwatch], actions: ['sns:Publish'], resources: [this.topic.topicArn], conditions: ours }),
    );
    this.topic.addSubscription(new EmailSubscription(email));
  }
}
