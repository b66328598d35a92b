import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registerOperationRoutes } from "../../doors/http/operation-routes.ts";
import { createHttpServer } from "../../doors/http/server.ts";
import { newUuid } from "../../kernel/ids.ts";
import { createPipeline } from "../../kernel/pipeline.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { exportOperations } from "./operations.ts";
import { createSubstrateExportService } from "./service.ts";
import { EXPORTED, LEFT_OUT } from "./tables.ts";

let world: TestPlatform;
let org: string;
beforeAll(async () => {
  world = await testPlatform();
  org = world.organizationId;
});
afterAll(() => world.stop());

const query = (text: string, values: readonly unknown[] = []) =>
  world.platform.database.query<Record<string, string>>(text, values);

/** Fills every exported table of an organisation with a row whose texts hold `mark`. */
async function fill(organizationId: string, mark: string): Promise<void> {
  const columns = await query(
    `select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
     where table_schema = 'ambit' and table_name = any($1) order by table_name, ordinal_position`,
    [EXPORTED.map(({ table }) => table)],
  );
  const checked: Record<string, string> = {
    ...{
      "memory_records.kind": "learning",
      "memory_versions.kind": "learning",
      "approvals.kind": "substrate_action",
    },
    ...{ "substrate_actions.status": "executed", "substrate_actions.proposer_kind": "agent" },
    ...{
      "substrate_policies.mode": "auto",
      "substrate_conflicts.status": "open",
      "approvals.status": "approved",
    },
    ...{ "attention_rules.condition_mode": "row_query", "attention_rule_firings.status": "fired" },
    ...{ "outbox.state": "pending", "attention_rule_firings.rule_id": `${mark}-id` },
    ...{ "attention_rules.id": `${mark}-id`, "approval_decisions.decision": "approve" },
  };
  const sample: Record<string, string> = {
    ...{
      text: mark,
      jsonb: JSON.stringify({ mark }),
      integer: "1",
      bigint: "1",
      smallint: "1",
      boolean: "true",
    },
    ...{ "timestamp with time zone": "2026-01-02T03:04:05.678Z", date: "2026-01-02", ARRAY: `{${mark}}` },
  };
  // Its own app: an app is in one organisation.
  checked["substrate_links.app_id"] = await newApp(organizationId);
  for (const { table } of EXPORTED) {
    const own = columns.filter(
      ({ table_name, column_name }) =>
        table_name === table && !["source_app_id", "plan", "approved_at"].includes(column_name!),
    );
    const values = own.map(({ column_name, data_type }) => {
      if (column_name === "organization_id") return organizationId;
      return checked[`${table}.${column_name}`] ?? (data_type === "uuid" ? newUuid() : sample[data_type!]);
    });
    await query(
      `insert into ambit.${table} (${own.map(({ column_name }) => column_name).join(", ")})
       values (${own.map((_, at) => `$${at + 1}`).join(", ")})`,
      values,
    );
  }
}

async function newApp(organizationId: string): Promise<string> {
  const { app } = await world.apps.create({ organizationId, name: `app-${newUuid().slice(0, 8)}` });
  return app.id;
}

/** Gives an organisation some rows of half a megabyte, more than sockets hold. */
async function fatten(organizationId: string): Promise<void> {
  await query(
    `insert into ambit.substrate_snapshots (organization_id, snapshot_date, counts, taken_at)
     select $1, '2000-01-01'::date + n, jsonb_build_object('x', repeat('y', 500000)), now()
     from generate_series(1, 60) n on conflict do nothing`,
    [organizationId],
  );
}

const read = async (stream: Readable): Promise<string> => {
  let text = "";
  for await (const piece of stream) text += piece;
  return text;
};
const parse = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("the tables of an export", () => {
  it("are all there are of the substrate, with every column, or it is said why not", async () => {
    const features = "^(memory|substrate|attention|outbox|approval|snapshot)";
    const columns = await query(
      `select table_name, column_name from information_schema.columns
       where table_schema = 'ambit' and table_name ~ $1`,
      [features],
    );
    const there = new Map<string, Set<string>>();
    for (const { table_name, column_name } of columns)
      there.set(table_name!, (there.get(table_name!) ?? new Set()).add(column_name!));
    expect([...there.keys()].sort()).toEqual(
      [...EXPORTED.map(({ table }) => table), ...Object.keys(LEFT_OUT)].sort(),
    );
    for (const { table, of, columns: exported, without } of EXPORTED) {
      expect([table, [...there.get(table)!].sort()]).toEqual([
        table,
        [...new Set([...(of === undefined ? ["organization_id"] : []), ...exported, ...without])].sort(),
      ]);
    }
  });
});

describe("an export", () => {
  it("has every row of the organisation, no secret, and nothing of another", async () => {
    const other = newUuid();
    await query("insert into ambit.organizations (id, name) values ($1, 'Other')", [other]);
    await fill(org, "ours");
    await fill(other, "theirs");
    const text = await read(createSubstrateExportService(world.platform).export(org));
    expect(text.endsWith("\n")).toBe(true);
    expect(text).not.toContain("theirs");
    const [header, ...lines] = parse(text);
    const end = lines.pop();
    expect(header).toMatchObject({ type: "header", format: "ambit.substrate", organization_id: org });
    expect(lines.map(({ type }) => type)).toEqual(EXPORTED.map(({ type }) => type));
    expect(end).toEqual({ type: "end", counts: Object.fromEntries(EXPORTED.map(({ type }) => [type, 1])) });
    for (const [at, { type, columns, without }] of EXPORTED.entries()) {
      expect([type, ...Object.keys(lines[at]).slice(1)]).toEqual([type, ...columns]);
      for (const column of without) expect(lines[at]).not.toHaveProperty(column);
    }
    const record = lines.find(({ type }) => type === "record");
    expect(record).toMatchObject({ data: { mark: "ours" }, updated_at: "2026-01-02T03:04:05.678+00:00" });
  });

  it("is of one instant, however slowly it is read, and holds little of it at once", async () => {
    const big = newUuid();
    await query("insert into ambit.organizations (id, name) values ($1, 'Big')", [big]);
    await fatten(big);
    const stream = createSubstrateExportService(world.platform).export(big);
    const pieces = stream[Symbol.asyncIterator]();
    let text = String((await pieces.next()).value);
    await query("delete from ambit.substrate_snapshots where organization_id = $1", [big]);
    await sleep(100);
    expect(stream.readableLength).toBeLessThan(2_000_000);
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) text += next.value;
    expect(parse(text).at(-1)).toEqual({ type: "end", counts: { snapshot: 60 } });
  });

  it("without its end is known as cut: when the connection is lost, and when nobody reads on", async () => {
    await fatten(org);
    const service = createSubstrateExportService(world.platform);
    const lost = service.export(org);
    const pieces = lost[Symbol.asyncIterator]();
    const first = String((await pieces.next()).value);
    await world.asSuperuser(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'ambit export'`,
    );
    const rest = (async () => {
      let text = first;
      for (let next = await pieces.next(); !next.done; next = await pieces.next()) text += next.value;
      return text;
    })();
    await expect(rest).rejects.toThrow();
    const left = createSubstrateExportService(world.platform, 200).export(org);
    const failed = once(left, "error");
    await left[Symbol.asyncIterator]().next();
    await failed;
    await expect.poll(exportsUnderWay, { timeout: 5_000 }).toBe(0);
    expect(parse(await read(service.export(org))).at(-1).type).toBe("end");
  });

  it("leaves nothing behind when its reader goes, and is one of two", async () => {
    const service = createSubstrateExportService(world.platform);
    const open = [service.export(org), service.export(org)];
    const readers = open.map((stream) => stream[Symbol.asyncIterator]());
    for (const reader of readers) await reader.next();
    expect(await exportsUnderWay()).toBe(2);
    expect(() => service.export(org)).toThrow("2 exports already");
    open[0]!.destroy();
    await expect.poll(exportsUnderWay, { timeout: 5_000 }).toBe(1);
    // The server is done with a connection a moment before this process is.
    const whole = async () => parse(await read(service.export(org))).at(-1).type;
    await expect.poll(whole, { timeout: 5_000 }).toBe("end");
    open[1]!.destroy();
    await expect.poll(exportsUnderWay, { timeout: 5_000 }).toBe(0);
    for (let n = 0; n < 5; n++) service.export(org);
    expect(parse(await read(service.export(org))).at(-1).type).toBe("end");
  });
});

const exportsUnderWay = async () =>
  (
    await query(
      "select 1 from pg_stat_activity where datname = current_database() and application_name = 'ambit export'",
    )
  ).length;

describe("the operation", () => {
  it("is an owner's, in person, and not for a key that is bound to an app", async () => {
    const [operation] = exportOperations(createSubstrateExportService(world.platform), {
      readerOf: async ({ organizationId }) => ({ organizationId, scope: { appId: "app_a" } }),
    });
    expect([operation!.right, operation!.personOnly, operation!.surface]).toEqual(["own", true, "substrate"]);
    const principal = { kind: "key", organizationId: "o" };
    await expect(operation!.run({ principal } as never, {} as never)).rejects.toMatchObject({
      code: "AUTH_INSUFFICIENT_PERMISSIONS",
    });
  });

  it("streams over HTTP, to owners in person, and ends with its reader", async () => {
    const service = createSubstrateExportService(world.platform);
    const links = { readerOf: async ({ organizationId }: KeyPrincipal) => ({ organizationId, scope: null }) };
    const { log, clock, publicUrl } = world.platform;
    const findApp = async () => null;
    const server = createHttpServer({
      ...{ log, baseDomain: "localhost", trustedProxies: 0, publicUrl, findApp, lanes: () => [] },
    });
    const recorded: unknown[] = [];
    registerOperationRoutes(server, {
      operations: exportOperations(service, links),
      pipeline: createPipeline({ findApp, record: async (entry) => void recorded.push(entry.eventType) }),
      resolvePrincipal: async (authorization) => ({
        ...{ kind: "key", keyId: "k", accountId: "a", organizationId: org, scopes: ["*", "substrate"] },
        ...{ keyKind: authorization === "agent" ? "agent" : "person", expiresAtMs: null },
        role: authorization === "admin" ? "admin" : "owner",
      }),
      ...{ findApp, clock },
    });
    await server.listen({ host: "127.0.0.1", port: 0 });
    const { port } = server.server.address() as AddressInfo;
    const get = (authorization: string, signal?: AbortSignal) =>
      fetch(`http://127.0.0.1:${port}/v1/me/substrate/export`, {
        headers: { authorization },
        signal: signal ?? null,
      });
    try {
      expect([(await get("agent")).status, (await get("admin")).status]).toEqual([403, 403]);
      const answer = await get("owner");
      expect(answer.headers.get("content-type")).toBe("application/x-ndjson; charset=utf-8");
      expect(parse(await answer.text()).at(-1).type).toBe("end");
      expect(recorded).toEqual([
        "substrate_export.export",
        "substrate_export.export",
        "substrate_export.export",
      ]);
      for (let n = 0; n < 2; n++) {
        const gone = new AbortController();
        const cut = await get("owner", gone.signal);
        await cut.body!.getReader().read();
        expect(await exportsUnderWay()).toBe(1);
        gone.abort();
        await expect.poll(exportsUnderWay, { timeout: 5_000 }).toBe(0);
      }
      expect(parse(await (await get("owner")).text()).at(-1).type).toBe("end");
    } finally {
      await server.close();
    }
  });
});
