import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { type Api, type Person, signUp } from "../../support/api.ts";
import { applySchema, newApp } from "../../support/app.ts";
import { connectRealtime, type Frame, type RealtimeClient } from "../../support/realtime.ts";
import { Ground } from "./ground.ts";

/** Two nodes, an app with a table of members, and three people. */
export let ground: Ground;
export let owner: Api;
export let appId: string;
export let [ada, ben, eve]: Person[] = [];
const open_: RealtimeClient[] = [];

/** Has the tests of a file run in it. */
export function useRooms(): void {
  beforeAll(async () => {
    ground = await Ground.start(2);
    owner = ground.owner;
    appId = await newApp(owner);
    await applySchema(owner, appId, {
      members: {
        columns: {
          team: { type: "text", nullable: false },
          user_id: { type: "text", nullable: false },
          role: { type: "text", nullable: false, default: "'member'" },
        },
        primaryKey: ["team", "user_id"],
      },
      rooms: { columns: { name: { type: "text", primaryKey: true }, owner_id: { type: "text" } } },
    });
    const { apiUrl } = ground.server;
    [ada, ben, eve] = await Promise.all(["ada", "ben", "eve"].map((name) => signUp(apiUrl, appId, name)));
  }, 60_000);
  afterEach(async () => {
    await Promise.all(open_.splice(0).map((client) => client.close()));
  });
  afterAll(() => ground?.close());
}

/** A connection to one of the nodes, closed after the test. */
export async function connect(token: string | null, node = 0, app = appId): Promise<RealtimeClient> {
  const client = await connectRealtime(ground.nodes[node]!.apiUrl, app, token);
  open_.push(client);
  await client.waitFor(({ type }) => type === "connected");
  return client;
}
export const key = () => ground.server.apiKey;
export const presence = ({ frames }: RealtimeClient, from = 0) =>
  frames.slice(from).filter(({ type }) => type.startsWith("presence"));
export const named = (client: RealtimeClient, room: string) =>
  presence(client).filter((frame) => frame.room === room);
export const putRule = (pattern: string, receive: string, send = receive) =>
  owner("PUT", `/v1/${appId}/realtime/rules`, { pattern, receive, send });
export const dropRule = (pattern: string) =>
  owner("DELETE", `/v1/${appId}/realtime/rules/${encodeURIComponent(pattern)}`);
export const denied = (frame: Frame) => {
  expect(frame).toMatchObject({ type: "error", message: expect.stringMatching(/may not|need a rule/) });
};
