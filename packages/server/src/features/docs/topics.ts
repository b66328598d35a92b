/** What one can ask about, and what it covers. The names are those Butterbase clients send. */
export const TOPICS = {
  all: "every topic, one line per operation",
  overview: "what Ambit is, how to connect, where to start",
  mcp: "the MCP endpoint, its tools, and the policy gateway",
  rest: "reading and writing rows over HTTP",
  auth: "accounts of end users, tokens, sign-in",
  storage: "files and the key-value store",
  functions: "functions: code that answers requests, schedules, webhooks and events; what code may reach",
  "durable-objects": "durable objects: stateful classes, one instance per room, user or agent",
  frontend: "hosting of web pages",
  ai: "models and agents",
  meetings: "meeting recordings",
  billing: "plans and payments",
  platform: "apps, keys, organisations, settings, the audit log",
  regions: "where apps live",
  schema: "tables, migrations and row-level security",
  sdk: "client libraries",
  cli: "the command line",
  realtime: "live changes over WebSocket",
  rag: "retrieval over documents",
  integrations: "connections to other services",
  substrate: "institutional memory, proposed actions, the ledger, approvals",
} as const;

export type Topic = keyof typeof TOPICS;

export const TOPIC_NAMES = Object.keys(TOPICS) as [Topic, ...Topic[]];

/** Features (the first part of an operation's name) and guides that belong to a topic of another name. */
const MEMBERS: Partial<Record<Topic, readonly string[]>> = {
  overview: ["quickstart", "introduction", "concepts"],
  mcp: ["docs", "gateway", "gateway-servers", "grants", "policies", "decisions", "servers"],
  rest: ["data", "rows"],
  auth: ["oauth", "users"],
  storage: ["kv"],
  functions: ["runtime"],
  "durable-objects": ["actors", "durable_objects"],
  realtime: ["realtime-rooms"],
  ai: ["agents"],
  platform: ["apps", "audit", "keys", "organizations", "operations", "backup", "security"],
  schema: ["migrations", "rls", "row-level-security"],
  substrate: [
    ...["memory", "approvals", "ledger", "outbox", "snapshots", "attention_rules", "attention-rules"],
    ...["substrate_stream", "substrate-stream", "substrate_export"],
  ],
};

/** The topic of a feature or guide; `fallback` for names no topic claims. */
export function topicOf(name: string, fallback: Topic): Topic {
  if (name !== "all" && name in TOPICS) return name as Topic;
  const found = TOPIC_NAMES.find((topic) => MEMBERS[topic]?.includes(name));
  return found ?? fallback;
}
