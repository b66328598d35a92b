/**
 * The promise: a socket stands as long as its credential does and no longer. It closes, saying why, when the token
 * expires, the session or the key ends, the user is deleted, or the app is paused; a renewed token keeps it open with
 * nothing missing. A bad credential is refused at the upgrade.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, apiAs, type Person, signUp } from "../support/api.ts";
import { must, notesApp } from "../support/app.ts";
import { connectRealtime, type RealtimeClient } from "../support/realtime.ts";
import { discard, type Server, startServer } from "../support/server.ts";

const AUTH_FAILED = 1008;
const TRY_LATER = 1013;
let server: Server;
let owner: Api;

beforeAll(async () => {
  server = await startServer();
  owner = apiAs(server.apiUrl, server.apiKey);
});
afterAll(() => discard(server));

const connectAs = (appId: string, token: string | null) => connectRealtime(server.apiUrl, appId, token);

/** An app of its own, and somebody in it who listens. */
async function listener(ttl = "15m"): Promise<{ appId: string; ada: Person; client: RealtimeClient }> {
  const appId = await notesApp(owner);
  must(await owner("PATCH", `/v1/${appId}/config/jwt`, { accessTokenTtl: ttl }));
  const ada = await signUp(server.apiUrl, appId, "ada");
  const client = await connectAs(appId, ada.token);
  await client.subscribe("notes");
  return { appId, ada, client };
}

/** Has somebody write on until the socket is closed; what came after `at` is what must not have. */
async function closedAfter(
  client: RealtimeClient,
  act: () => Promise<unknown>,
): Promise<{ code: number; afterMs: number }> {
  await act();
  const atMs = performance.now();
  const { code } = await client.waitClosed(6_000);
  return { code, afterMs: performance.now() - atMs };
}

describe("a socket ends with its credential", { timeout: 60_000 }, () => {
  it("when the token expires, and shows nothing more", async () => {
    const { appId, ada, client } = await listener("3s");
    must(await ada.api("POST", `/v1/${appId}/notes`, { title: "in time" }));
    await client.waitFor((frame) => frame.record?.title === "in time");
    const { code } = await client.waitClosed(8_000);
    expect(code).toBe(AUTH_FAILED);
    expect(client.frames.at(-1)).toMatchObject({ type: "error", message: expect.stringMatching(/expired/) });
    await owner("POST", `/v1/${appId}/notes`, { owner_id: ada.id, title: "too late" });
    await sleep(200);
    expect(JSON.stringify(client.frames)).not.toContain("too late");
    await expect(connectAs(appId, ada.token)).rejects.toThrow("HTTP 401");
  });

  it("not when it is renewed in time, and nothing is missing", async () => {
    const { appId, ada, client } = await listener("6s");
    const overMs = Date.now() + 6_500;
    await sleep(1_100);
    const renewed = must(
      await apiAs(server.apiUrl, null)("POST", `/auth/${appId}/refresh`, { refresh_token: ada.refreshToken }),
    );
    client.send({ type: "auth", token: renewed.access_token });
    let written = 0;
    // The first token is over before the last of them.
    while (Date.now() < overMs) {
      must(await owner("POST", `/v1/${appId}/notes`, { owner_id: ada.id, title: `${written++}` }));
      await sleep(50);
    }
    await client.waitFor((frame) => frame.record?.title === `${written - 1}`);
    expect(client.frames.some((frame) => frame.type === "authenticated")).toBe(true);
    expect(client.changes("notes").map(({ record }) => record.title)).toEqual(
      Array.from({ length: written }, (_, n) => `${n}`),
    );
    expect(client.frames.filter(({ type }) => type === "resync")).toEqual([]);
    await client.close();
  });

  it("a renewed token of somebody else is refused, and nothing of theirs is shown", async () => {
    const { appId, client } = await listener();
    const ben = await signUp(server.apiUrl, appId, "ben");
    client.send({ type: "auth", token: ben.token });
    const { message } = await client.waitFor((frame) => frame.type === "error");
    expect(message).toMatch(/somebody else/);
    must(await ben.api("POST", `/v1/${appId}/notes`, { title: "ben's" }));
    await sleep(300);
    expect(client.changes()).toEqual([]);
    await client.close();
  });

  it("when the user signs out, or is deleted", async () => {
    const out = await listener();
    const signedOut = await closedAfter(out.client, () =>
      out.ada.api("POST", `/auth/${out.appId}/logout`, { refresh_token: out.ada.refreshToken }),
    );
    expect(signedOut.code).toBe(AUTH_FAILED);
    const gone = await listener();
    const deleted = await closedAfter(gone.client, async () =>
      must(await owner("DELETE", `/v1/${gone.appId}/admin/auth/users/${gone.ada.id}`)),
    );
    expect(deleted.code).toBe(AUTH_FAILED);
    expect(deleted.afterMs, "ms until it was closed").toBeLessThan(2_500);
  });

  it("when the key is revoked", async () => {
    const appId = await notesApp(owner);
    const { key, id } = must(await owner("POST", "/api-keys", { name: "suite", kind: "agent" }));
    const client = await connectAs(appId, key);
    await client.subscribe("notes");
    const { code, afterMs } = await closedAfter(client, async () =>
      must(await owner("DELETE", `/api-keys/${id}`)),
    );
    expect(code).toBe(AUTH_FAILED);
    expect(afterMs).toBeLessThan(2_500);
    await expect(connectAs(appId, key)).rejects.toThrow("HTTP 401");
  });

  it("when the app is paused; it can be opened again once that is over", async () => {
    const { appId, ada, client } = await listener();
    const pause = (paused: boolean) =>
      owner("PATCH", `/v1/${appId}/config/pause`, { paused, reason: "for repairs" });
    const { code } = await closedAfter(client, async () => must(await pause(true)));
    expect(code).toBe(TRY_LATER);
    expect(client.frames.at(-1)!.message).toBe("App is paused: for repairs");
    must(await pause(false));
    const again = await connectAs(appId, ada.token);
    await again.subscribe("notes");
    await again.close();
  });
});

describe("at the beginning", () => {
  it("a bad credential is refused at the upgrade, wherever it is given", async () => {
    const appId = await notesApp(owner);
    const other = await notesApp(owner);
    const stranger = await signUp(server.apiUrl, other, "ada");
    for (const token of [
      "nonsense",
      `${stranger.token.slice(0, -4)}AAAA`,
      "bb_sk_0123456789abcdef",
      stranger.token,
    ]) {
      await expect(connectAs(appId, token), token.slice(0, 12)).rejects.toThrow("HTTP 401");
      await expect(connectRealtime(server.apiUrl, appId, token, { header: true })).rejects.toThrow(
        "HTTP 401",
      );
    }
  });

  it("a missing one, where one is needed, gets the error frame and 1008", async () => {
    const appId = await notesApp(owner);
    must(await owner("PATCH", `/v1/${appId}/config/access-mode`, { access_mode: "authenticated" }));
    const client = await connectAs(appId, null);
    expect((await client.waitClosed()).code).toBe(AUTH_FAILED);
    expect(client.frames).toEqual([
      { type: "error", message: expect.stringMatching(/authentication required/i) },
    ]);
  });
});
