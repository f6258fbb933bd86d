/** The event that Lambda makes of received messages, and what its answer means for them. Pure. */
import { REGION } from './aws/client.ts';

export type ReceivedMessage = {
  MessageId: string;
  ReceiptHandle: string;
  Body: string;
  MD5OfBody: string;
  Attributes?: Record<string, string>;
  MessageAttributes?: Record<string, { DataType: string; StringValue?: string; BinaryValue?: string }>;
};

export function sqsEvent(messages: readonly ReceivedMessage[], eventSourceARN: string): object {
  return {
    Records: messages.map((message) => ({
      messageId: message.MessageId,
      receiptHandle: message.ReceiptHandle,
      body: message.Body,
      attributes: message.Attributes ?? {},
      messageAttributes: Object.fromEntries(
        Object.entries(message.MessageAttributes ?? {}).map(([name, { DataType, StringValue, BinaryValue }]) => [
          name,
          {
            ...(StringValue === undefined ? {} : { stringValue: StringValue }),
            ...(BinaryValue === undefined ? {} : { binaryValue: BinaryValue }),
            stringListValues: [],
            binaryListValues: [],
            dataType: DataType,
          },
        ]),
      ),
      md5OfBody: message.MD5OfBody,
      eventSource: 'aws:sqs',
      eventSourceARN,
      awsRegion: REGION,
    })),
  };
}

/**
 * Which messages a returned batch has dealt with. As Lambda reads it: no list or an empty one is a complete success; anything
 * malformed, or an id that was not in the batch, is a complete failure.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
export function succeeded(messages: readonly ReceivedMessage[], result: string, reportBatchItemFailures: boolean): ReceivedMessage[] {
  if (!reportBatchItemFailures) return [...messages];
  const answer = JSON.parse(result) as { batchItemFailures?: unknown } | null;
  const failures = answer !== null && typeof answer === 'object' ? (answer.batchItemFailures ?? []) : [];
  if (!Array.isArray(failures)) return [];
  const known = new Set(messages.map((message) => message.MessageId));
  const failed = new Set<string>();
  for (const failure of failures as Array<{ itemIdentifier?: unknown } | null>) {
    const id = failure?.itemIdentifier;
    if (typeof id !== 'string' || !known.has(id)) return [];
    failed.add(id);
  }
  return messages.filter((message) => !failed.has(message.MessageId));
}
