/** The alarms of a stage that somebody watches, and who is told. What they are is in alarm-list.ts. */
import { Alarm, ComparisonOperator, type IAlarmAction, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { Stage } from '../config.ts';
import { alarmList, type Watched } from './alarm-list.ts';
import { AlarmTopic } from './alarm-topic.ts';

const GUIDE = 'docs/operate.md';

export class Alarms extends Construct {
  constructor(scope: Construct, id: string, stage: Stage, watched: Watched) {
    super(scope, id);
    const action = this.#action(stage);
    for (const { name, essential, says, metric, above, periods = 1, silenceIsAlarm } of alarmList(stage, watched)) {
      if (!essential && stage.alarms.coverage !== 'full') continue;
      const alarm = new Alarm(this, idOf(name), {
        metric,
        alarmName: `holdfast-${stage.name}-${name}`,
        alarmDescription: `${says} ${GUIDE}#alarm-${name}`,
        threshold: above,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: periods,
        // What never happened has no data.
        treatMissingData: silenceIsAlarm ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
      });
      if (!action) continue;
      alarm.addAlarmAction(action);
      alarm.addOkAction(action);
    }
  }

  #action({ name, alarms: { email, topicArn } }: Stage): IAlarmAction | undefined {
    if (email !== undefined) return new SnsAction(new AlarmTopic(this, 'Topic', name, email).topic);
    return topicArn === undefined ? undefined : new SnsAction(Topic.fromTopicArn(this, 'GivenTopic', topicArn));
  }
}

const idOf = (name: string) => name.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
