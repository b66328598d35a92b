/** A program that speaks MCP by hand and misbehaves when asked to. What it does is the tool's name. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

// biome-ignore lint/suspicious/noExplicitAny: what clients send has every shape
type Loose = any;
type Call = { id: number | string; method?: string; params?: Loose };

const { stdin, stdout, stderr } = process;
const send = (message: object) => stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function readable(path: string): string {
  try {
    readFileSync(path);
    return "readable";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unknown";
  }
}

/** A process that outlives its parent; `detached` begins a session of its own. */
function child(detached: boolean): number | undefined {
  const options = { detached, stdio: "ignore" as const };
  const started = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], options);
  started.unref();
  return started.pid;
}

const tools: Record<string, (args: Loose) => unknown> = {
  echo: (args) => args,
  pid: () => process.pid,
  uid: () => [process.getuid?.(), process.getgid?.(), process.getgroups?.()],
  cwd: () => process.cwd(),
  env: () => process.env,
  status: () => readFileSync("/proc/self/status", "utf8"),
  limits: () => readFileSync("/proc/self/limits", "utf8"),
  read: ({ path }) => readable(path),
  child: ({ detached }) => child(detached),
  sleep: async ({ ms }) => {
    await sleep(ms);
    return "slept";
  },
  crash: () => process.exit(3),
  garbage: () => {
    stdout.write('Starting…\n[1,2,3]\n\n  \n{"half": \n{not json}\n"text"\nnull\n{}\n');
    stdout.write(Buffer.from([0x7b, 0xff, 0xfe, 0x7d, 0x0a]));
    stdout.write(`{"jsonrpc":"2.0","id":{"a":1},"result":{}}\n{"jsonrpc":"2.0","id":987654,"result":{}}\n`);
    return "after garbage";
  },
  huge: ({ bytes }) => "x".repeat(bytes),
  hugeNameless: async ({ bytes }) => {
    stdout.write(`{"a":"${"x".repeat(bytes)}"}\n`);
    await sleep(60_000);
  },
  slowly: async () => {
    const text = JSON.stringify({
      jsonrpc: "2.0",
      method: "notifications/message",
      params: { data: "ä€😀" },
    });
    for (const byte of Buffer.from(`${text}\n`)) {
      stdout.write(Buffer.from([byte]));
      await sleep(0);
    }
    return "said";
  },
  many: ({ count, size, token }) => {
    for (let progress = 1; progress <= count; progress++)
      send({
        method: "notifications/progress",
        params: { progressToken: token, progress, message: "m".repeat(size) },
      });
    return "sent";
  },
  complain: ({ text }) => {
    stderr.write(text);
    return "complained";
  },
  deaf: () => {
    setInterval(() => {}, 1000);
    setTimeout(() => lines.pause(), 50);
    return "deaf";
  },
  stubborn: () => {
    process.on("SIGTERM", () => {});
    setInterval(() => {}, 1000);
    return "stubborn";
  },
};

async function answer({ id, method, params }: Call) {
  if (method === "initialize") {
    const protocolVersion = "2025-06-18";
    return send({
      id,
      result: { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "unruly" } },
    });
  }
  const tool = method === "tools/call" ? tools[params.name] : undefined;
  if (!tool) return send({ id, error: { code: -32601, message: "Method not found" } });
  const value = await tool({ token: params._meta?.progressToken, ...params.arguments });
  send({ id, result: { content: [], value } });
}

const lines = createInterface({ input: stdin });
lines.on("line", (line) => {
  const message: Call = JSON.parse(line);
  if (message.id !== undefined && message.method !== undefined) void answer(message);
});
