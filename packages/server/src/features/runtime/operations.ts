import { z } from "zod";
import type { ProgramStatus, WorkerdEngine } from "../../engines/workerd/types.ts";
import { type AnyOperation, appOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import { readKey } from "./ports.ts";
import type { RuntimeService } from "./types.ts";

const appId = z.string().describe("The app");
const allow = z
  .array(z.string().max(255))
  .max(limits.egressHosts)
  .nullable()
  .describe(
    "Host names the app's code may reach: api.example.com, *.example.com; null for every public host, [] for none",
  );

/** What can be asked about the processes that run an app's code. */
export function runtimeOperations(service: RuntimeService): AnyOperation[] {
  return [getEgress(service), setEgress(service), getLogs(service), setLogs(service), status(service)];
}

const getEgress = (service: RuntimeService) =>
  appOperation({
    name: "runtime.get_egress",
    title: "Get outgoing hosts",
    summary: "Which hosts an app's functions and Durable Objects may reach; null means every public one.",
    input: z.object({ app_id: appId }),
    output: z.object({ allow }),
    right: "view",
    risk: "read",
    idempotent: true,
    http: { method: "GET", path: "/v1/:app_id/runtime/egress" },
    mcp: { tool: "manage_runtime", action: "get_egress" },
    run: async ({ app }) => ({ allow: copy((await service.getEgress(app.id)).allow) }),
  });

const setEgress = (service: RuntimeService) =>
  appOperation({
    name: "runtime.set_egress",
    title: "Set outgoing hosts",
    summary:
      "Replaces the list of hosts an app's functions and Durable Objects may reach. In force within five seconds; connections that are open stay. Private addresses are never reached.",
    input: z.object({ app_id: appId, allow }),
    output: z.object({ allow }),
    right: "develop",
    risk: "write",
    overwrites: true,
    idempotent: true,
    errors: ["VALIDATION_INVALID_HOST"],
    audit: {
      category: "admin",
      action: "update",
      resourceType: "runtime_egress",
      resourceId: (input) => input.app_id,
    },
    http: { method: "PUT", path: "/v1/:app_id/runtime/egress" },
    mcp: { tool: "manage_runtime", action: "set_egress" },
    async run({ app }, input) {
      await service.setEgress(app.id, { allow: input.allow });
      return { allow: copy((await service.getEgress(app.id)).allow) };
    },
  });

const getLogs = (service: RuntimeService) =>
  appOperation({
    name: "runtime.get_logs_settings",
    title: "Get log settings",
    summary: "Whether runs of an app's functions and Durable Objects are logged, or only counted.",
    input: z.object({ app_id: appId }),
    output: z.object({ enabled: z.boolean() }),
    right: "view",
    risk: "read",
    idempotent: true,
    http: { method: "GET", path: "/v1/:app_id/runtime/logs" },
    mcp: { tool: "manage_runtime", action: "get_logs_settings" },
    run: async ({ app }) => ({ enabled: await service.logsEnabled(app.id) }),
  });

const setLogs = (service: RuntimeService) =>
  appOperation({
    name: "runtime.set_logs",
    title: "Switch logs on or off",
    summary:
      "Switches the logs of an app's functions and Durable Objects on or off; off saves up to a third of the time of small requests. Requests and errors are counted all the same. Running programs are replaced, which closes their WebSockets once.",
    input: z.object({ app_id: appId, enabled: z.boolean() }),
    output: z.object({ enabled: z.boolean() }),
    right: "develop",
    risk: "write",
    overwrites: true,
    idempotent: true,
    audit: {
      category: "admin",
      action: "update",
      resourceType: "runtime_logs",
      resourceId: (input) => input.app_id,
    },
    http: { method: "PUT", path: "/v1/:app_id/runtime/logs" },
    mcp: { tool: "manage_runtime", action: "set_logs" },
    async run({ app }, { enabled }) {
      await service.setLogsEnabled(app.id, enabled);
      return { enabled };
    },
  });

const program = z.object({
  kind: z.enum(["actors", "functions"]),
  state: z.enum(["stopped", "starting", "running", "swapping", "stopping", "failing"]),
  revision: z.string().nullable(),
  pid: z.number().nullable(),
  started_at: z.string().nullable(),
  rss_bytes: z.number(),
  in_flight: z.number(),
  sockets: z.number(),
  restarts: z.number(),
});

const status = (service: RuntimeService) =>
  appOperation({
    name: "runtime.status",
    title: "Runtime status",
    summary:
      "The processes that run an app's code on this node, what stands between that code and the host, and what the app exchanged with the network this month.",
    input: z.object({ app_id: appId }),
    output: z.object({
      programs: z.array(program),
      sandbox: z.object({
        unprivileged: z.boolean(),
        namespaces: z.boolean(),
        network_off: z.boolean(),
        seccomp: z.boolean(),
        dies_with_parent: z.boolean(),
        memory: z.enum(["cgroup", "watchdog"]),
        warnings: z.array(z.string()),
      }),
      egress: z.object({
        requests: z.number(),
        refused: z.number(),
        bytes_in: z.number(),
        bytes_out: z.number(),
      }),
    }),
    right: "view",
    risk: "read",
    idempotent: true,
    errors: ["RUNTIME_UNSUPPORTED"],
    http: { method: "GET", path: "/v1/:app_id/runtime" },
    mcp: { tool: "manage_runtime", action: "status" },
    async run({ app }) {
      const { engine } = service;
      const use = await service.egressUse(app.id);
      return {
        programs: engine
          .list()
          .filter(({ key }) => readKey(key).appId === app.id)
          .map(presentProgram),
        sandbox: presentSandbox(engine),
        egress: {
          requests: use.requests,
          refused: use.refused,
          bytes_in: use.bytesIn,
          bytes_out: use.bytesOut,
        },
      };
    },
  });

function presentProgram(each: ProgramStatus): z.input<typeof program> {
  return {
    kind: readKey(each.key).kind,
    state: each.state,
    revision: each.revision,
    pid: each.pid,
    started_at: each.startedAtMs === null ? null : new Date(each.startedAtMs).toISOString(),
    rss_bytes: each.rssBytes,
    in_flight: each.inFlight,
    sockets: each.sockets,
    restarts: each.restarts,
  };
}

function presentSandbox({ sandbox }: WorkerdEngine) {
  return {
    unprivileged: sandbox.unprivileged,
    namespaces: sandbox.namespaces,
    network_off: sandbox.networkOff,
    seccomp: sandbox.seccomp,
    dies_with_parent: sandbox.diesWithParent,
    memory: sandbox.memory,
    warnings: [...sandbox.warnings],
  };
}

function copy(list: readonly string[] | null): string[] | null {
  return list === null ? null : [...list];
}
