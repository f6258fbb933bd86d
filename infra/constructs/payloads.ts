/** The bucket for inputs, results and bodies that are too large for the table. */
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Aws, Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { Stage } from '../config.ts';

/** What presigned uploads are put under. */
const UPLOADS = 'uploads/';
/** Bodies of dead letters, which lie beside it, are kept until somebody decides. */
const RUNS = 'runs/';
const UPLOAD_LIFE = Duration.days(2);

export class Payloads extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, stage: Stage) {
    super(scope, id);
    this.bucket = new Bucket(this, 'Bucket', {
      // Bucket names are one space for all the world.
      bucketName: `holdfast-${stage.name}-payloads-${Aws.ACCOUNT_ID}-${Aws.REGION}`,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      lifecycleRules: [
        { abortIncompleteMultipartUploadAfter: Duration.days(1) },
        // By age and not by use: so it must be later than the end of any run that may still read the object.
        { id: 'runs', prefix: RUNS, expiration: Duration.days(stage.payloadDays) },
        // A batch that was uploaded is started within minutes or never.
        { id: 'uploads', prefix: UPLOADS, expiration: UPLOAD_LIFE },
      ],
      removalPolicy: stage.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    });
  }
}
