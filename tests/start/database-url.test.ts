import { rm } from "node:fs/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { apiAs, signUp } from "../support/api.ts";
import { must, notesApp } from "../support/app.ts";
import { connectRealtime } from "../support/realtime.ts";
import { newDataDir, postgresPid, type Server, startServer } from "../support/server.ts";

const ROLE = "ambit_operator";
const POLICY_ROLES = ["butterbase_anon", "butterbase_user", "butterbase_service"];
let admin: pg.Client;
const server = inject("postgres");
const url = (database: string) =>
  `postgres://${ROLE}:secret@localhost:${server.port}/${database}?host=${encodeURIComponent(server.host)}`;

beforeAll(async () => {
  admin = new pg.Client({ ...server, database: "postgres" });
  await admin.connect();
  await admin.query(`drop role if exists ${ROLE}`);
  await admin.query(`create role ${ROLE} login password 'secret' createrole replication`);
  // Another Ambit on this server may have made them; then they have to be passed on.
  for (const name of POLICY_ROLES) await admin.query(`create role ${name} nologin`).catch(() => {});
  await admin.query(`grant ${POLICY_ROLES.join(", ")} to ${ROLE} with admin option`);
  await admin.query(`create database operator_db owner ${ROLE}`);
  await admin.query("create database foreign_db");
});
afterAll(async () => {
  for (const name of ["operator_db", "foreign_db"])
    await admin.query(`drop database if exists ${name} with (force)`);
  const { rows } = await admin.query(
    "select rolname from pg_roles where rolname = $1 or pg_has_role($1, oid, 'member') and rolname like 'app\\_%'",
    [ROLE],
  );
  for (const { rolname } of rows.reverse())
    await admin.query(`drop role if exists "${rolname}"`).catch(() => {});
  await admin.end();
});

describe("DATABASE_URL", () => {
  it("works on an existing server with a role that is no superuser", async () => {
    const dataDir = newDataDir();
    let node: Server | undefined;
    try {
      node = await startServer({ DATABASE_URL: url("operator_db") }, dataDir);
      expect(postgresPid(dataDir)).toBeNull();
      const owner = apiAs(node.apiUrl, node.apiKey);
      const appId = await notesApp(owner);
      const ada = await signUp(node.apiUrl, appId, "ada");
      const ben = await signUp(node.apiUrl, appId, "ben");
      const [mine, other] = await Promise.all(
        [ada, ben].map((who) => connectRealtime(node!.apiUrl, appId, who.token)),
      );
      await mine!.subscribe("notes");
      await other!.subscribe("notes");
      must(await ada.api("POST", `/v1/${appId}/notes`, { title: "hello" }));
      await mine!.waitFor((frame) => frame.record?.title === "hello");
      expect(must(await ada.api("GET", `/v1/${appId}/notes`))).toHaveLength(1);
      expect(must(await ben.api("GET", `/v1/${appId}/notes`))).toHaveLength(0);
      expect(other!.changes()).toEqual([]);
      await mine!.close();
      await other!.close();
      must(await owner("DELETE", `/apps/${appId}`));
    } finally {
      await node?.stop();
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  it("serves one database from two nodes", async () => {
    const [first, second] = [newDataDir(), newDataDir()];
    const master = { AMBIT_MASTER_KEY: "ab".repeat(32), DATABASE_URL: url("operator_db") };
    const a = await startServer(master, first);
    const b = await startServer(master, second);
    try {
      // The database was initialised before: neither node holds its keys, so one is minted by hand.
      await admin.query("select 1");
      const owner = new pg.Client({ ...server, database: "operator_db" });
      await owner.connect();
      const { rows } = await owner.query("select organization_id, account_id from ambit.members");
      const { createHash } = await import("node:crypto");
      const key = `bb_sk_${"1".repeat(40)}`;
      await owner.query(
        `insert into ambit.api_keys (id, organization_id, account_id, kind, name, hash, prefix, scope, scopes)
         values (gen_random_uuid(), $1, $2, 'person', 'x', $3, 'bb_sk_111111', 'both', '{*}')`,
        [rows[0].organization_id, rows[0].account_id, createHash("sha256").update(key).digest("hex")],
      );
      await owner.end();
      const [onA, onB] = [apiAs(a.apiUrl, key), apiAs(b.apiUrl, key)];
      const appId = await notesApp(onA);
      const watcher = await connectRealtime(b.apiUrl, appId, key);
      await watcher.subscribe("notes");
      must(await onA("POST", `/v1/${appId}/notes`, { owner_id: "x", title: "from a" }));
      await watcher.waitFor((frame) => frame.record?.title === "from a");
      must(await onB("POST", `/v1/${appId}/notes`, { owner_id: "x", title: "from b" }));
      await watcher.waitFor((frame) => frame.record?.title === "from b");
      expect(watcher.changes()).toHaveLength(2);
      await watcher.close();
      must(await onB("DELETE", `/apps/${appId}`));
    } finally {
      await Promise.all([a.stop(), b.stop()]);
      await Promise.all([first, second].map((directory) => rm(directory, { recursive: true, force: true })));
    }
  });

  it("says exactly what a server lacks", async () => {
    await admin.query(`alter role ${ROLE} nocreaterole noreplication`);
    await admin.query(`revoke admin option for butterbase_user from ${ROLE}`);
    const dataDir = newDataDir();
    const failure = await startServer({ DATABASE_URL: url("foreign_db") }, dataDir).catch(
      (error: Error) => error.message,
    );
    await admin.query(`alter role ${ROLE} createrole replication`);
    expect(failure).toContain('run "grant "butterbase_user" to "ambit_operator" with admin option"');
    await rm(dataDir, { recursive: true, force: true });
    expect(failure).toContain('may not create roles: run "alter role "ambit_operator" createrole"');
    expect(failure).toContain("may not replicate");
    expect(failure).toContain('run "grant create on database "foreign_db" to "ambit_operator""');
  });
});
