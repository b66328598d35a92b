import { leafHash, opens, verifyConsistency, verifyExport, verifyInclusion } from "@ambit/ledger";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newUuid } from "../../kernel/ids.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { type Doors, openDoors } from "./testing/doors.ts";
import { draftOf } from "./testing/stand.ts";

let test: TestPlatform;
let doors: Doors;
let org: string;
const other = newUuid();
let owner: string;
let stranger: string;
beforeAll(async () => {
  test = await testPlatform();
  org = test.organizationId;
  doors = await openDoors(test);
  owner = doors.tokenOf({});
  stranger = doors.tokenOf({ organizationId: other });
  for (let n = 0; n < 30; n += 1) {
    const kind = n % 3 === 0 ? "test.third" : "test.other";
    const sealed = { payload: { n, name: `person ${n}` } };
    await doors.ledger.record(draftOf(org, { kind, subject: `s${n % 2}`, data: { n }, sealed }));
    if (n % 10 === 0) await doors.ledger.record(draftOf(other, { data: { n }, sealed }));
  }
  await doors.ledger.record(draftOf(null, { data: { server: true }, sealed: { note: "of nobody" } }));
  expect((await doors.api("POST", "/v1/ledger/checkpoints", owner, {})).status).toBe(200);
});
afterAll(async () => {
  await doors.close();
  await test.stop();
});

const get = async (path: string, token = owner) => {
  const { status, body } = await doors.api("GET", path, token);
  expect([path, status, body.error]).toEqual([path, 200, undefined]);
  return body;
};
/** All of a list, page by page. */
const listAll = async (query: string, token = owner) => {
  const found: any[] = [];
  for (let before = ""; ; ) {
    const page = await get(`/v1/ledger/entries?limit=7${query}${before}`, token);
    found.push(...page.entries);
    if (page.next_before === null) return found;
    before = `&before=${page.next_before}`;
  }
};

describe("reading entries", () => {
  it("lists the organisation's own, newest first, page by page, with what opens them", async () => {
    const all = await listAll("");
    expect(all.map(({ entry }) => entry.data.n)).toEqual(Array.from({ length: 30 }, (_, n) => 29 - n));
    for (const { entry, openings } of all) {
      expect(openings.payload.value.n).toBe(entry.data.n);
      expect(opens(entry.sealed.payload, "payload", openings.payload)).toBe(true);
    }
    expect((await listAll("", stranger)).map(({ entry }) => entry.data.n)).toEqual([20, 10, 0]);
  });

  it("narrows by kind, subject and time", async () => {
    expect((await listAll("&kind=test.third")).length).toBe(10);
    expect((await listAll("&kind=test.third&subject=s1")).map(({ entry }) => entry.data.n)).toEqual([
      ...[27, 21, 15, 9, 3],
    ]);
    const all = await listAll("");
    const [newest, middle] = [all[0].entry.at, all[15].entry.at];
    expect((await listAll(`&from=${middle}`)).length).toBe(
      all.filter(({ entry }) => entry.at >= middle).length,
    );
    expect((await listAll(`&to=${middle}`)).length).toBe(
      all.filter(({ entry }) => entry.at <= middle).length,
    );
    expect((await listAll(`&from=${newest.slice(0, 10)}`)).length).toBe(30);
    expect((await listAll("&to=2020-01-01")).length).toBe(0);
  });

  it("reads one, of the organisation's own only", async () => {
    const [{ entry }] = await listAll("&kind=test.third");
    const one = await get(`/v1/ledger/entries/${entry.id}`);
    expect(one).toMatchObject({ entry, index: expect.any(Number) });
    expect((await doors.api("GET", `/v1/ledger/entries/${entry.id}`, stranger)).status).toBe(404);
  });

  it("is for keys of the whole organisation that may see it", async () => {
    const paths = ["/v1/ledger/entries", "/v1/ledger/export", "/v1/ledger/entries/led_x/proof"];
    for (const path of paths) {
      expect((await doors.api("GET", path, "nobody")).status).toBe(401);
      const bound = doors.tokenOf({ scopes: ["app:app_abcdefghijkl", "substrate"] });
      expect((await doors.api("GET", path, bound)).status).toBe(403);
    }
    const substrate = doors.tokenOf({ scopes: ["substrate"], role: "viewer", keyKind: "agent" });
    expect((await get("/v1/ledger/entries", substrate)).entries.length).toBe(30);
  });
});

describe("verifying from outside", () => {
  it("gives key, checkpoints and proofs that the library accepts", async () => {
    const { public_key, origin } = await get("/v1/ledger/key");
    expect(public_key.startsWith(`${origin}+`)).toBe(true);
    const first = await doors.api("POST", "/v1/ledger/checkpoints", owner, {});
    expect(first).toMatchObject({ status: 200, body: { size: expect.any(Number) } });
    await doors.ledger.record(draftOf(org, { kind: "test.later" }));
    const second = (await doors.api("POST", "/v1/ledger/checkpoints", owner, {})).body;
    const { checkpoints } = await get(`/v1/ledger/checkpoints?after_size=${first.body.size - 1}`);
    expect(checkpoints).toEqual([first.body, second]);

    const grown = await get(`/v1/ledger/consistency?from=${first.body.size}&to=${second.size}`);
    const bytes = (text: string) => Buffer.from(text, "base64");
    const claim = { from: grown.from, to: grown.to, proof: grown.hashes.map(bytes) };
    const roots = { fromRoot: bytes(first.body.root), toRoot: bytes(second.root) };
    expect(verifyConsistency({ ...claim, ...roots })).toBe(true);

    const [{ entry, index }] = await listAll("&kind=test.third");
    const proof = await get(`/v1/ledger/entries/${entry.id}/proof?size=${second.size}`);
    expect(proof).toMatchObject({ index, size: second.size, checkpoint: second });
    const leaf = leafHash(JSON.stringify(entry));
    expect(bytes(proof.leaf_hash)).toEqual(leaf);
    const shown = {
      index,
      size: second.size,
      leaf,
      root: bytes(second.root),
      proof: proof.hashes.map(bytes),
    };
    expect(verifyInclusion(shown)).toBe(true);
    expect((await doors.api("GET", "/v1/ledger/consistency?from=2&to=1", owner)).status).toBe(404);
  });

  it("streams an export in which others are hashes and the server's own values stay shut", async () => {
    const { public_key } = await get("/v1/ledger/key");
    const answer = await fetch(`${doors.url}/v1/ledger/export`, {
      headers: { authorization: `Bearer ${owner}` },
    });
    expect(answer.headers.get("content-type")).toContain("application/x-ndjson");
    const lines = (await answer.text()).split("\n").slice(0, -1);
    const report = await verifyExport(lines, public_key);
    expect(report).toMatchObject({ ok: true, foreign: 3, openings: { checked: 30, erased: 1 } });
    expect(lines.some((line) => line.includes("of nobody"))).toBe(false);
    expect(JSON.parse(lines[0]!)).toMatchObject({ organization: org, size: report.size });
  });
});

describe("erasing through the API", () => {
  it("is an owner's, in person, and is recorded", async () => {
    const body = { subjects: ["s0"], names: ["payload"], reason: "asked for" };
    for (const key of [{ keyKind: "agent" }, { role: "admin" }, { scopes: ["*", "read"] }] as const) {
      const refused = await doors.api("POST", "/v1/ledger/erase", doors.tokenOf(key as never), body);
      expect(refused.status).toBe(403);
    }
    expect(await doors.api("POST", "/v1/ledger/erase", owner, body)).toEqual({
      ...{ status: 200, body: { erased: 15 } },
    });
    for (const { openings } of await listAll("&subject=s0")) expect(openings).toBeUndefined();
    for (const { openings } of await listAll("&subject=s1")) expect(openings).toBeDefined();
    const [erased] = await listAll("&kind=ledger.erased");
    expect(erased.entry.data).toEqual({ subjects: ["s0"], names: ["payload"], entries: 15, values: 15 });
    expect(erased.openings.reason.value).toBe("asked for");
    const audited = await listAll("&kind=audit.ledger.erase");
    expect(audited.map(({ entry }) => entry.data.success)).toEqual([true, false, false, false]);
  });
});
