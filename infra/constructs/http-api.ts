/** The public door: a REST API (version 1: emulators know no other for free) that hands every request to one function. */
import { EndpointType, LambdaRestApi, type RestApi } from 'aws-cdk-lib/aws-apigateway';
import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Duration } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { Stage } from '../config.ts';
import { TIMEOUTS } from '../settings.ts';

export class HttpApi extends Construct {
  readonly url: string;
  readonly #api: RestApi;

  constructor(scope: Construct, id: string, stage: Stage, handler: LambdaFunction) {
    super(scope, id);
    // Routes, tokens and errors are the function's: / and /{proxy+} are all that is known here.
    const api = new LambdaRestApi(this, 'Rest', {
      restApiName: `holdfast-${stage.name}`,
      handler,
      proxy: true,
      endpointTypes: [EndpointType.REGIONAL],
      integrationOptions: { allowTestInvoke: false, timeout: Duration.seconds(TIMEOUTS.api) },
      deployOptions: {
        stageName: stage.name,
        // What is more is answered 429 by API Gateway, before a function is paid for.
        throttlingRateLimit: stage.api.requestsPerSecond,
        throttlingBurstLimit: stage.api.burst,
      },
      // Its logs need a role for the whole account, which is not this stack's to give.
      cloudWatchRole: false,
    });
    api.node.tryRemoveChild('Endpoint');
    this.url = api.url;
    this.#api = api;
  }

  metricServerErrors(options: MetricOptions): Metric {
    return this.#api.deploymentStage.metricServerError(options);
  }
}
