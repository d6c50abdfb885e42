// An agent with the AI SDK's MCP client: it subscribes to events and receives them at an address of its own. It reads
// commands from standard input and writes what happens to standard output, both as a JSON object per line.
import { createMCPClient, experimental_createMCPEventWebhook as createMCPEventWebhook } from "@ai-sdk/mcp";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

const [url, key] = process.argv.slice(2);
const report = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const subscriptions = new Map();
const store = {
  get: async (key) => subscriptions.get(key),
  getById: async (id) => [...subscriptions.values()].find((one) => one.id === id),
  set: async (subscription) => void subscriptions.set(subscription.key, subscription),
  update: async (key, patch) => void subscriptions.set(key, { ...subscriptions.get(key), ...patch }),
  delete: async (key) => void subscriptions.delete(key),
};

const accepted = new Map();
const webhook = createMCPEventWebhook({
  store,
  onEvent: async ({ event }) => void accepted.set(event.eventId, event),
  onError: (error) => report({ error: String(error) }),
});

const server = createServer(async (incoming, outgoing) => {
  const body = Buffer.concat(await incoming.toArray());
  const response = await webhook(
    new Request(`http://127.0.0.1${incoming.url}`, { method: incoming.method, headers: incoming.headers, body }),
  );
  const event = accepted.get(incoming.headers["webhook-id"]);
  report({ received: event ? "event" : JSON.parse(body).type, status: response.status, event });
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(Buffer.from(await response.arrayBuffer()));
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const client = await createMCPClient({
  transport: { type: "http", url, headers: { authorization: `Bearer ${key}` } },
  experimental_events: { store },
});
const events = client.experimental_events;
const callback = `http://127.0.0.1:${server.address().port}/events`;
const commands = {
  list: () => events.list(),
  subscribe: ({ url = callback, ...wish }) =>
    events.subscribe({ ...wish, delivery: { mode: "webhook", url, allowInsecureLocalhost: true } }),
  refresh: (subscription) => events.refresh(subscription),
  unsubscribe: (subscription) => events.unsubscribe(subscription),
};

report({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...parameters } = JSON.parse(line);
  try {
    report({ answer: (await commands[command](parameters)) ?? null });
  } catch (error) {
    report({ refusal: { message: error.message, code: error.code ?? null, data: error.data ?? null } });
  }
}
await client.close();
process.exit();
