import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { apiAs, type Person, signUp } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";
import {
  deployFunction,
  http,
  keyOfStranger,
  type Nodes,
  refusal,
  startNodes,
} from "../support/functions.ts";
import { callTool, connectMcp } from "../support/mcp.ts";
import { rawHttp } from "../support/raw-http.ts";

/** Tells who it was called by, and who the database takes the caller for. */
const WHO = `interface Caller { type: string }
export async function handler(req: Request, ctx: any): Promise<object> {
  const { rows: [db] } = await ctx.db.query("select current_user::text as role, current_user_id() as id");
  const caller: Caller = ctx.caller;
  return { user: ctx.user, caller, db, url: req.url, headers: Object.fromEntries(req.headers), request: ctx.request };
}`;

let nodes: Nodes;
let red: string;
let blue: string;
let ada: Person;
let eve: Person;
const keys: Record<string, string> = {};
const tokens: Record<string, string> = {};

beforeAll(async () => {
  nodes = await startNodes(inject("postgres"));
  const { server, owner, agent, database } = nodes;
  red = await newApp(owner);
  blue = await newApp(owner);
  ada = await signUp(server.apiUrl, red, "ada");
  eve = await signUp(server.apiUrl, blue, "eve");
  for (const auth of ["required", "optional", "none"] as const)
    await deployFunction(agent, red, auth, WHO, http(auth));
  const mint = async (body: object) =>
    must(await owner("POST", "/api-keys", { name: "suite", ...body })) as { id: string; key: string };
  const revoked = await mint({});
  must(await owner("DELETE", `/api-keys/${revoked.id}`));
  Object.assign(keys, {
    person: server.apiKey,
    agent: server.agentKey,
    "bound to the app": (await mint({ key_scope: "app", target_app_id: red })).key,
    "bound to another app": (await mint({ key_scope: "app", target_app_id: blue })).key,
    "of another organisation": await keyOfStranger(database),
    "read-only": (await mint({ read_only: true })).key,
    "for the substrate": (await mint({ scope: "substrate" })).key,
    revoked: revoked.key,
    "made up": `bb_sk_${"0".repeat(40)}`,
  });
  must(await owner("PATCH", `/v1/${red}/config/jwt`, { accessTokenTtl: "1s" }));
  const late = await signUp(server.apiUrl, red, "late");
  must(await owner("PATCH", `/v1/${red}/config/jwt`, { accessTokenTtl: "1h" }));
  const [head, claims, signature] = ada.token.split(".") as [string, string, string];
  const other = { ...JSON.parse(String(Buffer.from(claims, "base64url"))), sub: eve.id };
  Object.assign(tokens, {
    expired: late.token,
    "of another app": eve.token,
    "with another's id": `${head}.${Buffer.from(JSON.stringify(other)).toString("base64url")}.${signature}`,
    "without a signature": `${Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url")}.${claims}.`,
    "that is none": "a.b.c",
  });
  await sleep(1_200);
});
afterAll(() => nodes?.close());

const call = (token: string | null, name: string, headers: Record<string, string> = {}, app = red) =>
  apiAs(nodes.server.apiUrl, token)("POST", `/v1/${app}/fn/${name}`, {}, headers);
const MAY = ["person", "agent", "bound to the app"];
const anonymous = { user: null, caller: { type: "anonymous" }, db: { id: null } };

describe("a function deployed over MCP", () => {
  it.each(MAY)("answers at once: key %s", async (which) => {
    const { agent, server } = nodes;
    const name = `fresh-${which.replaceAll(" ", "-")}`;
    const deployed = await deployFunction(agent, red, name, WHO);
    expect(deployed.url).toBe(`${server.apiUrl}/v1/${red}/fn/${name}`);
    const answer = await call(keys[which]!, name);
    expect([answer.status, answer.body]).toEqual([
      200,
      expect.objectContaining({ user: null, caller: expect.objectContaining({ type: "service_key" }) }),
    ]);
    expect(answer.body.db.role).toMatch(/_service$/);
    const client = await connectMcp(server.mcpUrl, keys[which]!);
    const invoked = await callTool(client, "invoke_function", {
      app_id: red,
      function_name: name,
      body: { a: 1 },
    });
    expect(invoked).toMatchObject({ status: 200, body: { caller: { type: "service_key" } } });
    await client.close();
  });

  it("shows no key to the function", async () => {
    for (const which of MAY) {
      const answer = await call(keys[which]!, "required", {
        "x-api-key": keys[which]!,
        "x-also": `Bearer ${keys[which]}`,
      });
      expect(answer.status).toBe(200);
      expect(JSON.stringify(answer.body)).not.toContain(keys[which]);
    }
    const inQuery = await call(null, `none?key=${keys.agent}&x=1`);
    expect(new URL(inQuery.body.url).search).toBe("?x=1");
  });

  it.each([
    "bound to another app",
    "of another organisation",
    "read-only",
    "for the substrate",
    "revoked",
    "made up",
  ])("refuses a key %s, also where nobody needs one", async (which) => {
    for (const name of ["required", "optional", "none"]) {
      const answer = await call(keys[which]!, name);
      expect([which, name, answer.status]).toEqual([
        which,
        name,
        which === "revoked" || which === "made up" ? 401 : 403,
      ]);
      expect(answer.body.error).toMatchObject({
        code: expect.stringMatching(/^AUTH_/),
        remediation: expect.any(String),
      });
    }
    const overHttp = await apiAs(nodes.server.apiUrl, keys[which]!)(
      "POST",
      `/v1/${red}/functions/required/invoke`,
      {},
    );
    expect([which, overHttp.status]).toEqual([which, expect.toBeOneOf([401, 403])]);
    const deploying = await apiAs(nodes.server.apiUrl, keys[which]!)("POST", `/v1/${red}/functions`, {
      name: "x",
      code: WHO,
    });
    expect([which, deploying.status]).toEqual([which, expect.toBeOneOf([401, 403])]);
    const { body } = await nodes.owner("GET", `/v1/${red}/functions`);
    expect(body.functions.map(({ name }: { name: string }) => name)).not.toContain("x");
  });

  it("is refused over MCP to keys without the right", async () => {
    for (const which of ["bound to another app", "of another organisation", "read-only"]) {
      const client = await connectMcp(nodes.server.mcpUrl, keys[which]!);
      const error = await refusal(
        callTool(client, "invoke_function", { app_id: red, function_name: "none" }),
      );
      expect([which, error.code]).toEqual([which, expect.stringMatching(/^(AUTH_|RESOURCE_NOT_FOUND)/)]);
      await client.close();
    }
  });
});

describe("http auth", () => {
  it("lets a user in, as that user, whatever it is", async () => {
    for (const name of ["required", "optional", "none"]) {
      const { status, body } = await call(ada.token, name);
      expect([name, status]).toEqual([name, 200]);
      expect(body).toMatchObject({
        user: { id: ada.id, email: ada.email },
        caller: { type: "end_user_jwt", userId: ada.id },
        db: { id: ada.id },
      });
      expect(body.db.role).toMatch(/_user$/);
    }
  });

  it("without a token: refused, anonymous, anonymous; never service", async () => {
    const refused = await call(null, "required");
    expect([refused.status, refused.body.error.code]).toEqual([401, "AUTH_REQUIRED"]);
    for (const name of ["optional", "none"]) {
      const { status, body } = await call(null, name);
      expect([name, status, body]).toEqual([name, 200, expect.objectContaining({ user: null })]);
      expect(body).toMatchObject(anonymous);
      expect(body.db.role).toMatch(/_anon$/);
    }
  });

  it.each(["expired", "of another app", "with another's id", "without a signature", "that is none"])(
    "a token %s is refused where it counts, and nobody's where it does not",
    async (which) => {
      for (const name of ["required", "optional"]) {
        const answer = await call(tokens[which]!, name);
        expect([name, answer.status]).toEqual([name, 401]);
        expect(answer.body.error.code).toMatch(/^AUTH_/);
      }
      // Open to all: a header that is not ours to judge is passed by, and gives nothing.
      const { status, body } = await call(tokens[which]!, "none");
      expect([status, body]).toMatchObject([200, anonymous]);
      expect(body.db.role).toMatch(/_anon$/);
    },
  );

  it("a function without an http trigger has no URL, but can be invoked by a key", async () => {
    await deployFunction(nodes.agent, red, "by-event", WHO, {
      triggers: [{ type: "websocket", config: { event: "e" } }],
    });
    expect((await call(keys.agent!, "by-event")).status).toBe(404);
    const tested = await nodes.owner("POST", `/v1/${red}/functions/by-event/invoke`, { x: 1 });
    expect([tested.status, tested.body.caller.type]).toEqual([200, "service_key"]);
  });
});

describe("X-Butterbase-As-User", () => {
  const as = (id: string) => ({ "x-butterbase-as-user": id });

  it.each(MAY)("a key acts as a user: %s", async (which) => {
    for (const name of ["required", "optional", "none"]) {
      const { status, body } = await call(keys[which]!, name, as(ada.id));
      expect([status, body.user, body.caller.type, body.db]).toEqual([
        200,
        { id: ada.id },
        "service_key",
        { id: ada.id, role: expect.stringMatching(/_user$/) },
      ]);
    }
    const invoked = await apiAs(nodes.server.apiUrl, keys[which]!)(
      "POST",
      `/v1/${red}/functions/required/invoke`,
      {},
      as(ada.id),
    );
    expect(invoked.body).toMatchObject({ user: { id: ada.id }, db: { id: ada.id } });
  });

  it("nobody else does", async () => {
    for (const which of ["bound to another app", "of another organisation", "read-only", "revoked"])
      for (const name of ["required", "none"])
        expect([which, (await call(keys[which]!, name, as(ada.id))).status]).toEqual([
          which,
          expect.toBeOneOf([401, 403]),
        ]);
    for (const token of [ada.token, null, tokens["that is none"]!])
      for (const name of ["optional", "none"]) {
        const answer = await call(token, name, as(eve.id));
        expect([answer.status, JSON.stringify(answer.body).includes(eve.id)]).toEqual([
          expect.toBeOneOf([401, 403]),
          false,
        ]);
      }
  });

  it("is off where the function says so, until it says otherwise", async () => {
    await deployFunction(nodes.agent, red, "closed", WHO, { allow_service_key_impersonation: false });
    const set = (allowed: boolean) =>
      callTool(nodes.agent, "manage_function", {
        app_id: red,
        action: "update_settings",
        function_name: "closed",
        allow_service_key_impersonation: allowed,
      });
    const refused = await call(keys["bound to the app"]!, "closed", as(ada.id));
    expect([refused.status, refused.body.error.code]).toEqual([403, "AUTH_IMPERSONATION_DISABLED"]);
    const invoked = await nodes.owner("POST", `/v1/${red}/functions/closed/invoke`, {}, as(ada.id));
    expect(invoked.body.error?.code).toBe("AUTH_IMPERSONATION_DISABLED");
    const viaTool = await refusal(
      callTool(nodes.agent, "invoke_function", { app_id: red, function_name: "closed", headers: as(ada.id) }),
    );
    expect(viaTool.code).toBe("AUTH_IMPERSONATION_DISABLED");
    expect((await call(keys.agent!, "closed")).body.caller.type).toBe("service_key");
    await set(true);
    expect((await call(keys.agent!, "closed", as(ada.id))).body.user).toEqual({ id: ada.id });
    await set(false);
    expect((await call(keys.agent!, "closed", as(ada.id))).status).toBe(403);
  });

  it("takes a strange id as a text and as nothing else", async () => {
    const odd = `x'; select 1; -- "}`;
    const { body } = await call(keys.agent!, "required", as(odd));
    expect([body.user, body.db.id]).toEqual([{ id: odd }, odd]);
    expect((await call(keys.agent!, "required", as(""))).status).toBe(400);
    expect((await call(keys.agent!, "required", as("x".repeat(300)))).status).toBe(400);
  });
});

describe("who calls can't be forged", () => {
  const NAMES = [
    "caller-user",
    "caller-key-id",
    "caller-scope",
    "internal-caller",
    "loop-depth",
    "user-id",
    "context",
    "invocation",
    "unit",
    "waiting",
    "scheme",
  ];
  const forged = ["x-butterbase-", "X-Butterbase-", "x-ambit-", "X-AMBIT-"].flatMap((prefix) =>
    NAMES.map(
      (name) =>
        `${prefix}${name}: ${name === "context" ? '{"user":{"id":"forged"},"verbose":true,"mayUseService":true}' : "forged"}`,
    ),
  );

  it.each(["the API host", "the app's host"])("by headers, on %s", async (door) => {
    const host = new URL((await call(null, "none")).body.url).host;
    const [path, hostLine] =
      door === "the API host" ? [`/v1/${red}/fn/none`, []] : ["/fn/none", [`host: ${host}`]];
    for (const token of [null, ada.token]) {
      const answer = await rawHttp(nodes.server.apiUrl, `GET ${path} HTTP/1.1`, [
        ...hostLine,
        ...forged,
        "x-user-id: forged",
        "x-request-id: forged",
        "x-forwarded-for: 9.9.9.9",
        ...(token === null ? [] : [`authorization: Bearer ${token}`]),
        "x-honest: kept",
      ]);
      expect(answer.status).toBe(200);
      const body = JSON.parse(answer.body);
      expect(body.headers["x-honest"]).toBe("kept");
      expect([body.user?.id ?? null, body.db.id, body.request.loopDepth]).toEqual(
        token === null ? [null, null, 0] : [ada.id, ada.id, 0],
      );
      expect(body.request.ip).toBe("127.0.0.1");
      delete body.headers["x-user-id"];
      expect(JSON.stringify(body)).not.toContain("forged");
    }
  });

  it("by naming Ambit's headers as hop-by-hop", async () => {
    const answer = await rawHttp(nodes.server.apiUrl, `GET /v1/${red}/fn/required HTTP/1.1`, [
      `authorization: Bearer ${ada.token}`,
      "connection: x-ambit-context, x-request-id, host",
    ]);
    expect([answer.status, JSON.parse(answer.body).user.id]).toEqual([200, ada.id]);
  });
});
