import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { linesOf, verifyExport } from "@ambit/ledger";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Platform } from "../../engines/platform.ts";
import type { Database } from "../../engines/postgres/database.ts";
import { Secrets } from "../../kernel/secrets.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import type { Ledger } from "./service.ts";
import { draftOf, ledgerNode } from "./testing/stand.ts";

const CHILD = new URL("testing/export-child.ts", import.meta.url).pathname;
const ENTRIES = 20_000;
const SEALED_BYTES = 4_000;
/** Half of what the export holds; a good part of it is the program itself. */
const HEAP_MB = 56;
let test: TestPlatform;
let ledger: Ledger;
let pagesRead = 0;
const master = randomBytes(32);

beforeAll(async () => {
  test = await testPlatform();
  const counting = new Proxy(test.platform.database, {
    get(database, name) {
      if (name !== "query") return Reflect.get(database, name, database);
      return ((text, values) => {
        if (text.includes("ledger_leaves l") && text.includes("page")) pagesRead += 1;
        return database.query(text, values);
      }) as Database["query"];
    },
  });
  const platform: Platform = { ...test.platform, database: counting, secrets: new Secrets(master) };
  ({ ledger } = ledgerNode(platform));
  ledger.start();
  const sealed = { text: "x".repeat(SEALED_BYTES) };
  for (let written = 0; written < ENTRIES; written += 500) {
    await Promise.all(
      Array.from({ length: 500 }, () => ledger.record(draftOf(test.organizationId, { sealed }))),
    );
  }
}, 120_000);
afterAll(async () => {
  await ledger.stop();
  await test.stop();
});

describe("an export", { timeout: 90_000 }, () => {
  it("needs no more memory than a page of it, however large it is", async () => {
    const order = JSON.stringify({
      ...{ target: test.platform.database.target, master: master.toString("base64") },
      organizationId: test.organizationId,
    });
    const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, CHILD, order], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    const { publicKey } = await ledger.checkpoints.signer();
    let bytes = 0;
    const counted = child.stdout.map((chunk: Buffer) => {
      bytes += chunk.length;
      return chunk;
    });
    const report = await verifyExport(linesOf(counted), publicKey);
    expect((await exited)[0]).toBe(0);
    expect(report).toMatchObject({ ok: true, size: ENTRIES, openings: { checked: ENTRIES, erased: 0 } });
    expect(bytes).toBeGreaterThan(1.5 * HEAP_MB * 1024 * 1024);
  });

  it("reads on only as it is taken, and not at all once nobody takes it", async () => {
    pagesRead = 0;
    const lines = await ledger.export(test.organizationId, Date.now());
    await lines.next();
    await pause(300);
    expect(pagesRead).toBe(1);
    while (pagesRead < 3) await lines.next();
    await lines.return(undefined);
    await pause(300);
    expect(pagesRead).toBe(3);
    expect((await lines.next()).done).toBe(true);
  });
});
