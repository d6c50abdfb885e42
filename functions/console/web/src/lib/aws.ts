// AWS services that a route may target, by the ARN.

const SERVICES: Record<string, string> = {
  events: "event bus",
  sqs: "queue",
  sns: "topic",
  states: "state machine",
  lambda: "function",
};

/** The resource's kind and name: `arn:aws:sqs:eu-central-1:123456789012:orders` is the queue `orders`. */
export function resource(arn: string): { kind: string; name: string } {
  const [, , service = "", , , ...rest] = arn.split(":");
  const name = rest.join(":").replace(/^(event-bus\/|stateMachine:|function:)/, "");
  return { kind: SERVICES[service] ?? "AWS", name: name || arn };
}
