//! Events of SQS.

use serde_json::{Value, json};

/// Messages as Lambda's event source for SQS hands them over.
pub fn sqs_event(messages: &[(&str, String, &str)]) -> Value {
    let record = |(id, body, count): &(&str, String, &str)| {
        json!({
            "messageId": id, "receiptHandle": "r", "body": body, "md5OfBody": "", "messageAttributes": {},
            "attributes": { "ApproximateReceiveCount": count, "SentTimestamp": "1767225600000", "SenderId": "s",
                "ApproximateFirstReceiveTimestamp": "1767225600001", "MessageGroupId": "rt_0" },
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:q", "awsRegion": "us-east-1",
        })
    };
    json!({ "Records": messages.iter().map(record).collect::<Value>() })
}
