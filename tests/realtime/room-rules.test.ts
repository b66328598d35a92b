/**
 * The promise: who may be in a room or channel is what the app's rules say, judged by Postgres as that caller; who may
 * no longer be in is taken out, and rules that fail or are slow deny, and harm nobody else.
 *
 * Two nodes on one Postgres.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { apiAs, signUp } from "../support/api.ts";
import { applySchema, must, newApp } from "../support/app.ts";
import { callTool, connectMcp } from "../support/mcp.ts";
import type { Frame, RealtimeClient } from "../support/realtime.ts";
import {
  ada,
  appId,
  ben,
  connect,
  denied,
  dropRule,
  eve,
  ground,
  key,
  owner,
  putRule,
  useRooms,
} from "./stand/room-world.ts";
import { answer, answered, eventually, folded, heard, idOf, join, later, say, track } from "./stand/rooms.ts";

useRooms();

describe("rules", { timeout: 40_000 }, () => {
  const TEAM =
    "exists (select 1 from members m where m.team = split_part(channel, ':', 3) and m.user_id = current_user_id()";

  it("are what opens names that begin with private:, on every node, and keys need none", async () => {
    for (const [token, node] of [
      [ada!.token, 0],
      [null, 1],
    ] as const) {
      const client = await connect(token, node);
      for (const frame of [await join(client, "private:nobody"), await track(client, "private:nobody")]) {
        denied(frame);
        expect(frame.message).toMatch(/put_rule/);
      }
      denied(await join(client, "private:"));
      expect((await say(client, "private:nobody", 1)).type).toBe("error");
    }
    const service = await connect(key(), 1);
    expect((await join(service, "private:nobody")).type).toBe("broadcast_joined");
    expect((await track(service, "private:nobody")).type).toBe("presence_state");
  });

  it("are put, listed and deleted over HTTP and MCP alike; what can't be judged is refused", async () => {
    const agent = await connectMcp(ground.server.mcpUrl, ground.server.agentKey);
    const manage = (action: string, more: object = {}) =>
      callTool(agent, "manage_realtime", { action, app_id: appId, ...more });
    try {
      const rule = { pattern: "private:a/b *", receive: "true", send: "current_user_id() is not null" };
      expect((await manage("put_rule", rule)).rule).toMatchObject({ pattern: rule.pattern });
      must(await putRule("private:exact", "false"));
      const listed = async () => (await manage("list_rules")).rules.map(({ pattern }: any) => pattern);
      expect(await listed()).toEqual(["private:a/b *", "private:exact"]);
      expect(must(await owner("GET", `/v1/${appId}/realtime/rules`))).toEqual(await manage("list_rules"));
      const client = await connect(ada!.token, 1);
      expect((await join(client, "private:a/b c")).type).toBe("broadcast_joined");
      denied(await join(client, "private:exact"));
      expect(must(await dropRule("private:a/b *"))).toEqual({ pattern: "private:a/b *", status: "deleted" });
      expect((await dropRule("private:a/b *")).body.error.code).toBe("REALTIME_RULE_NOT_FOUND");
      await manage("delete_rule", { pattern: "private:exact" });
      expect(await listed()).toEqual([]);
      const bad = [
        ["a*b", "true", "REALTIME_PATTERN_INVALID"],
        ["a", "tru", "REALTIME_RULE_INVALID"],
        ["a", "true; drop table members", "REALTIME_RULE_UNSAFE"],
        ["a", "pg_sleep(9) is null", "REALTIME_RULE_UNSAFE"],
        ["a", "exists (select 1 from ambit.apps)", "REALTIME_RULE_UNSAFE"],
        ["a", "exists (select 1 from no_such_table)", "REALTIME_RULE_INVALID"],
        ["a", "channel", "REALTIME_RULE_INVALID"],
      ] as const;
      for (const [pattern, condition, code] of bad) {
        const refused = await putRule(pattern, condition);
        expect([condition, refused.body.error?.code]).toEqual([condition, code]);
        expect(refused.body.error.remediation).toBeTruthy();
      }
      for (const api of [ada!.api, apiAs(ground.server.apiUrl, null)]) {
        for (const [method, body] of [["GET"], ["PUT", rule]] as const) {
          expect((await api(method, `/v1/${appId}/realtime/rules`, body)).status).toBeGreaterThanOrEqual(401);
        }
      }
      expect(await listed()).toEqual([]);
    } finally {
      await agent.close();
    }
  });

  it("on a table of members let in who is in it, and take out whoever no longer is", async () => {
    must(await putRule("private:team:*", `${TEAM})`, `${TEAM} and m.role <> 'guest')`));
    must(
      await owner("POST", `/v1/${appId}/members`, [
        { team: "x", user_id: ada!.id },
        { team: "x", user_id: ben!.id, role: "guest" },
        { team: "y", user_id: eve!.id },
      ]),
    );
    const [mine, guest, stranger] = [
      await connect(ada!.token),
      await connect(ben!.token, 1),
      await connect(eve!.token),
    ];
    const channel = "private:team:x";
    expect((await join(mine, channel)).type).toBe("broadcast_joined");
    expect((await track(mine, channel)).type).toBe("presence_state");
    expect((await join(guest, channel)).type).toBe("broadcast_joined");
    denied(await say(guest, channel, "as a guest"));
    denied(await track(guest, channel));
    denied(await join(stranger, channel));
    denied(await track(stranger, channel));
    await say(mine, channel, "to the guest");
    await eventually(() => expect(heard(guest, channel)).toEqual(["to the guest"]));
    const marks = [mine, guest].map(({ frames }) => frames.length);
    must(await owner("DELETE", `/v1/${appId}/members?team=eq.x`));
    for (const [n, client] of [mine, guest].entries()) {
      const out = await later(client, marks[n]!, ({ type }) => type === "broadcast_left", 7_500);
      expect(out).toEqual({ type: "broadcast_left", channel, reason: "denied" });
    }
    expect(await later(mine, marks[0]!, ({ type }) => type === "presence_untracked", 7_500)).toEqual({
      ...{ type: "presence_untracked", room: channel, reason: "denied" },
    });
    const service = await connect(key());
    await join(service, channel);
    expect((await track(service, channel)).clients).toHaveLength(1);
    expect((await say(service, channel, "among us")).type).toBe("broadcast_ack");
    await answered(mine);
    await answered(guest);
    expect([heard(mine, channel), heard(guest, channel)]).toEqual([[], ["to the guest"]]);
    expect((await say(mine, channel, "still here")).message).toMatch(/broadcast_join/);
    denied(await join(mine, channel));
  });

  it("that are changed or deleted take out at once, on both nodes", async () => {
    must(await putRule("private:news", "true"));
    must(await putRule("board", "true"));
    const clients = [await connect(ada!.token), await connect(ada!.token, 1), await connect(ben!.token, 1)];
    for (const client of clients) {
      for (const name of ["private:news", "board"]) {
        expect((await join(client, name)).type).toBe("broadcast_joined");
        expect((await track(client, name)).type).toBe("presence_state");
      }
    }
    must(await putRule("board", `current_user_id() = '${ben!.id}'`));
    const out = (name: string) => (client: RealtimeClient) =>
      Promise.all([
        client.waitFor((got) => got.type === "broadcast_left" && got.channel === name, 3_000),
        client.waitFor((got) => got.type === "presence_untracked" && got.room === name, 3_000),
      ]);
    for (const frames of await Promise.all(clients.slice(0, 2).map(out("board")))) {
      expect(frames.map(({ reason }) => reason)).toEqual(["denied", "denied"]);
    }
    await eventually(() => expect([...folded(clients[2]!, "board")!.keys()]).toEqual([idOf(clients[2]!)]));
    const agent = await connectMcp(ground.server.mcpUrl, ground.server.agentKey);
    await callTool(agent, "manage_realtime", {
      action: "delete_rule",
      app_id: appId,
      pattern: "private:news",
    });
    await agent.close();
    await Promise.all(clients.map(out("private:news")));
    must(await dropRule("board"));
    // Without a rule the name is open again.
    expect((await join(clients[0]!, "board")).type).toBe("broadcast_joined");
    expect(clients[2]!.frames.filter((got) => got.channel === "board").map(({ type }) => type)).toEqual([
      "broadcast_joined",
    ]);
  });

  it("on claims go by the token, also by one that is renewed", async () => {
    const CLAIM = "(current_setting('request.jwt.claims', true)::json ->> 'email_verified')::boolean";
    must(await putRule("private:sure:*", `not ${CLAIM}`));
    must(await putRule("private:proven:*", CLAIM));
    const { apiUrl } = ground.server;
    const kim = await signUp(apiUrl, appId, "kim");
    const client = await connect(kim.token, 1);
    expect((await join(client, "private:sure:1")).type).toBe("broadcast_joined");
    expect((await track(client, "private:sure:1")).type).toBe("presence_state");
    denied(await join(client, "private:proven:1"));
    const { mails } = must(
      await owner("GET", `/v1/${appId}/auth/outbox?to=${encodeURIComponent(kim.email)}`),
    );
    const nobody = apiAs(apiUrl, null);
    must(await nobody("POST", `/auth/${appId}/verify-email`, { email: kim.email, code: mails[0].code }));
    const { refreshToken: refresh_token } = kim;
    const { access_token } = must(await nobody("POST", `/auth/${appId}/refresh`, { refresh_token }));
    expect(client.frames.filter(({ reason }) => reason !== undefined)).toEqual([]);
    client.send({ type: "auth", token: access_token });
    const [left, untracked] = [
      await client.waitFor(({ type }) => type === "broadcast_left", 3_000),
      await client.waitFor(({ type }) => type === "presence_untracked", 3_000),
    ];
    expect([left.reason, untracked.reason]).toEqual(["denied", "denied"]);
    expect((await join(client, "private:proven:1")).type).toBe("broadcast_joined");
    denied(await join(client, "private:sure:1"));
  });
});

describe("rules that do harm", { timeout: 30_000 }, () => {
  it("see no more than the caller does, and nothing of other apps", async () => {
    const other = await newApp(owner);
    await applySchema(owner, other, { notes: { columns: { id: { type: "int", primaryKey: true } } } });
    const refused = await putRule("private:*", `exists (select 1 from ${other}.notes)`);
    expect(refused.body.error.code).toBe("REALTIME_RULE_UNSAFE");
    await applySchema(owner, appId, {
      owned: { columns: { name: { type: "text", primaryKey: true }, owner_id: { type: "text" } } },
    });
    must(await owner("POST", `/v1/${appId}/rls`, { table_name: "owned", user_column: "owner_id" }));
    must(await owner("POST", `/v1/${appId}/owned`, [{ name: "private:own:ada", owner_id: ada!.id }]));
    must(await putRule("private:own:*", "exists (select 1 from owned o where o.name = channel)"));
    const [mine, hers] = [await connect(ada!.token), await connect(ben!.token)];
    expect((await join(mine, "private:own:ada")).type).toBe("broadcast_joined");
    denied(await join(hers, "private:own:ada"));
    denied(await join(mine, "private:own:x' or name like 'private%"));
  });

  it("deny when they fail or take too long, and hold up nobody else's", async () => {
    must(
      await owner(
        "POST",
        `/v1/${appId}/rooms`,
        Array.from({ length: 500 }, (_, n) => ({ name: `${n}` })),
      ),
    );
    must(await putRule("private:odd:*", "1 / (length(channel) - 13) > -2"));
    const slow = "(select count(*) from rooms a, rooms b, rooms c, rooms d) = 0";
    must(await putRule("private:slow:*", `channel not like '%:slow:!%' or ${slow}`));
    const [mine, hers] = [await connect(eve!.token), await connect(ben!.token)];
    expect((await join(mine, "private:odd:22")).type).toBe("broadcast_joined");
    const failed = await join(mine, "private:odd:1");
    expect(failed).toMatchObject({ type: "error", message: expect.stringMatching(/could not be decided/) });
    expect((await join(hers, "private:slow:0")).type).toBe("broadcast_joined");
    for (let n = 0; n < 20; n++) mine.send({ type: "broadcast_join", channel: `private:slow:!${n}` });
    let worstMs = 0;
    for (let n = 1; n < 6; n++) {
      const at = performance.now();
      expect((await join(hers, `private:slow:${n}`)).type).toBe("broadcast_joined");
      worstMs = Math.max(worstMs, performance.now() - at);
      await sleep(200);
    }
    expect(worstMs).toBeLessThan(4_000);
    const told = mine.frames.filter(({ channel }) => channel?.startsWith("private:slow:!"));
    expect(told.length).toBeGreaterThan(0);
    expect(told.every(({ type }) => type === "error")).toBe(true);
    expect(hers.frames.filter(({ type }) => type === "broadcast_left")).toEqual([]);
  });
});

describe("what one connection may do", { timeout: 30_000 }, () => {
  it("is bounded; beyond that comes a clear error, and the connection goes on", async () => {
    const [mine, hers] = [await connect(ada!.token), await connect(ben!.token)];
    await join(mine, "big");
    await join(hers, "big");
    const most = "x".repeat(48 * 1024 - 2);
    expect((await say(mine, "big", most)).type).toBe("broadcast_ack");
    const tooBig = await say(mine, "big", `${most}x`);
    expect(tooBig).toMatchObject({ type: "error", channel: "big", message: expect.stringMatching(/table/) });
    expect((await track(mine, "big", { a: "x".repeat(4_096) })).message).toMatch(/metadata takes 4096/);
    let deep: unknown = 1;
    for (let n = 0; n < 300; n++) deep = [deep];
    expect((await say(mine, "big", deep)).message).toMatch(/nested/);
    await eventually(() => expect(heard(hers, "big")).toEqual([most]));
    for (let n = 1; n < 100; n++) {
      mine.send({ type: "broadcast_join", channel: `c${n}` });
      if (n % 20 === 0) await sleep(250);
    }
    const channels = await join(mine, "c100");
    expect(channels.message).toMatch(/100 channels.*broadcast_leave/);
    await answer(mine, { type: "broadcast_leave", channel: "c7" }, "broadcast_left");
    expect((await join(mine, "c100")).type).toBe("broadcast_joined");
    for (let n = 0; n < 50; n++) {
      hers.send({ type: "presence_track", room: `r${n}` });
      if (n % 20 === 0) await sleep(250);
    }
    expect((await track(hers, "r50")).message).toMatch(/50 rooms.*presence_untrack/);
    for (let n = 0; n < 120; n++) {
      hers.send({ type: "presence_update", room: "r0", metadata: { n } });
      if (n % 20 === 0) await sleep(250);
    }
    expect((await hers.waitFor((got) => /presence frames/.test(got.message))).room).toBe("r0");
    expect([mine.closed, hers.closed]).toEqual([undefined, undefined]);
    const metrics: string = must(await owner("GET", "/metrics"));
    for (const limit of [
      "payload_bytes",
      "metadata_chars",
      "channels_per_connection",
      "rooms_per_connection",
      "presence_rate",
    ]) {
      expect(metrics).toMatch(new RegExp(`limit="realtime_${limit}"\\} [1-9]`));
    }
  });

  it("so is what goes into one channel, and how often one joins", async () => {
    const crowd: RealtimeClient[] = [];
    for (let n = 0; n < 24; n++) crowd.push(await connect(n < 12 ? ada!.token : ben!.token));
    for (const client of crowd) await join(client, "crowd");
    const refused = () => crowd.flatMap(({ frames }) => frames.filter(({ type }) => type === "error"));
    for (let wave = 0; wave < 4 && refused().length === 0; wave++) {
      await sleep(1_050);
      for (const client of crowd) {
        for (let n = 0; n < 90; n++)
          client.send({ type: "broadcast", channel: "crowd", event: "e", id: `${n}` });
      }
      await Promise.all(crowd.map(answered));
    }
    expect(refused()[0]).toMatchObject({
      ...{ type: "error", channel: "crowd", id: expect.any(String) },
      message: expect.stringMatching(/into this channel: 500 a second/),
    });
    const mine = crowd[0]!;
    // All frames of a connection in one second count, whatever they are.
    await sleep(1_050);
    const often = ({ message }: Frame) =>
      /broadcast_join and broadcast_leave frames: 20 a second/.test(message);
    for (let n = 0; n < 300 && !mine.frames.some(often); n++) {
      mine.send({ type: "broadcast_leave", channel: "crowd" });
      if (n % 20 === 19) await sleep(250);
    }
    await mine.waitFor(often);
    expect(crowd.filter(({ closed }) => closed !== undefined)).toEqual([]);
  });

  it("so are the rules of an app", async () => {
    const other = await newApp(owner);
    await ground.db.query(
      `insert into ambit.realtime_rules (app_id, pattern, receive, send, receive_steady, send_steady)
       select $1, 'r' || n, 'true', 'true', true, true from generate_series(1, 200) n`,
      [other],
    );
    const put = (pattern: string) =>
      owner("PUT", `/v1/${other}/realtime/rules`, { pattern, receive: "true", send: "true" });
    expect((await put("one more")).body.error).toMatchObject({
      code: "QUOTA_REALTIME_RULES",
      remediation: expect.stringMatching(/delete/),
    });
    must(await put("r7"));
  });
});
