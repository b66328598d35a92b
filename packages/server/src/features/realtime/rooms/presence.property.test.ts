import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Presence } from "./presence.ts";
import { Cluster, type SimNode } from "./testing/cluster.ts";
import { anonymous, type Recorder, recorder, type Sent, user } from "./testing/recorder.ts";

const APP = "app_x";
const ROOMS = [null, "a", "b"] as const;

/** What a client believes, from its frames alone. Whatever does not fit what it believed before is an error. */
function fold(client: Recorder, room: string | null, sent: readonly Sent[]): Map<string, string> | null {
  let view: Map<string, string> | null = null;
  const put = (member: Sent, was: boolean) => {
    if (view?.has(member.client_id) !== was) throw new Error(`unexpected ${JSON.stringify(member)}`);
    view.set(member.client_id, JSON.stringify(member.metadata));
    if (client.viewer.role === "anon") expect(member.user_id ?? null).toBe(null);
    else if (!was) expect(member.user_id).toBe(`of ${member.client_id}`);
  };
  const drop = ({ client_id }: Sent) => {
    if (!view?.delete(client_id)) throw new Error(`${client_id} left without having been there`);
  };
  for (const message of sent) {
    if ((message.room ?? null) !== room) continue;
    if (message.type === "presence_untracked") view = null;
    if (message.type === "presence_state") {
      view = new Map();
      for (const member of message.clients) put(member, false);
    }
    for (const member of message.joins ?? []) put(member, false);
    for (const member of message.updates ?? []) put(member, true);
    for (const member of message.leaves ?? []) drop(member);
    if (message.type === "presence_join") put(message, false);
    if (message.type === "presence_update") put(message, true);
    if (message.type === "presence_leave") drop(message);
  }
  return view;
}

interface World {
  made: number;
  readonly cluster: Cluster;
  readonly presence: Map<SimNode, Presence>;
  readonly clients: { node: SimNode; client: Recorder; rooms: Map<string | null, string> }[];
}

function addNode({ cluster, presence }: World): SimNode {
  const node = cluster.start(`node${cluster.nodes.size}`);
  presence.set(node, new Presence(node));
  return node;
}

function addClient(world: World, node: SimNode) {
  const number = world.made++;
  const id = `client${number}`;
  const viewer = number % 3 === 2 ? anonymous : { ...user(`of ${id}`) };
  const made = {
    node,
    client: recorder(APP, id, { ...viewer, userId: `of ${id}` }),
    rooms: new Map<string | null, string>(),
  };
  world.clients.push(made);
  return made;
}

function truth(world: World, room: string | null): Map<string, string> {
  const here = world.clients.filter(({ node, rooms }) => node.alive && rooms.has(room));
  return new Map(here.map(({ client, rooms }) => [client.clientId, rooms.get(room)!]));
}

const sorted = (view: ReadonlyMap<string, string>) => [...view].sort(([a], [b]) => (a < b ? -1 : 1));

const small = fc.nat(20);
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant("track" as const), a: small, b: small, c: small }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("update" as const), a: small, b: small, c: small }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("untrack" as const), a: small, b: small, c: small }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("gone" as const), a: small, b: small, c: small }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant("read" as const), a: small, b: small, c: small }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant("pass" as const), a: small, b: small, c: small }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("lose" as const), a: small, b: small, c: small }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("suspect" as const), a: small, b: small, c: small }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("meet" as const), a: small, b: small, c: small }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("kill" as const), a: small, b: small, c: small }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("start" as const), a: small, b: small, c: small }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("fail" as const), a: small, b: small, c: small }) },
);

async function run(world: World, { do: what, a, b, c }: { do: string; a: number; b: number; c: number }) {
  const nodes = [...world.cluster.nodes.values()];
  const node = nodes[a % nodes.length]!;
  const other = nodes[b % nodes.length]!;
  const one = world.clients[a % world.clients.length]!;
  const room = ROOMS[b % ROOMS.length]!;
  const presence = world.presence.get(one.node)!;
  const text = JSON.stringify(c);
  if (what === "track" && one.node.alive) {
    expect(presence.track(one.client, room, text)).toBe(null);
    one.rooms.set(room, text);
  } else if (what === "update" && one.node.alive) {
    expect(presence.update(one.client, room, text)).toBe(one.rooms.has(room));
    if (one.rooms.has(room)) one.rooms.set(room, text);
  } else if (what === "untrack" && one.node.alive) {
    expect(presence.untrack(one.client, room, null)).toBe(one.rooms.delete(room));
  } else if (what === "gone" && one.node.alive) {
    for (const each of one.rooms.keys()) presence.leave(one.client, each);
    one.rooms.clear();
    world.clients[a % world.clients.length] = addClient(world, one.node);
    world.clients.pop();
  } else if (what === "read") node.read(c % 5);
  else if (what === "pass") await world.cluster.pass(c * 4);
  else if (what === "lose") node.lose(1 + (b % 2), c % 4 === 0);
  else if (what === "suspect" && node !== other) node.hear({ left: other.id });
  else if (what === "meet" && node !== other && other.alive) node.hear({ joined: other.id });
  else if (what === "kill" && nodes.filter((each) => each.alive).length > 1) node.kill();
  else if (what === "start" && nodes.length < 5) addClient(world, addNode(world));
  else if (what === "fail") node.failures.push(c % 2 === 0 ? "written" : "not_written");
}

describe("presence over several nodes", () => {
  it("ends, after any order of events, losses and deaths, in one view on all nodes, and every client has followed it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 30, maxLength: 120 }),
        fc.integer({ min: 2, max: 3 }),
        async (steps, size) => {
          const world: World = { made: 0, cluster: new Cluster(), presence: new Map(), clients: [] };
          for (let n = 0; n < size; n++) {
            const node = addNode(world);
            for (let m = 0; m < 3; m++) addClient(world, node);
          }
          const nodes = [...world.cluster.nodes.values()];
          for (const node of nodes) {
            for (const other of nodes) if (other !== node) node.hear({ joined: other.id });
          }
          for (const each of steps) await run(world, each);
          await world.cluster.settle();
          for (const { node, client, rooms } of world.clients) {
            if (!node.alive) continue;
            for (const room of rooms.keys()) {
              const expected = truth(world, room);
              if (room === null) expected.delete(client.clientId);
              expect(sorted(fold(client, room, client.sent) ?? new Map())).toEqual(sorted(expected));
            }
          }
          for (const room of ROOMS) {
            for (const node of world.cluster.nodes.values()) {
              if (!node.alive) continue;
              const late = addClient(world, node);
              world.presence.get(node)!.track(late.client, room, "0");
              late.rooms.set(room, "0");
              await world.cluster.settle();
              const expected = truth(world, room);
              if (room === null) expected.delete(late.client.clientId);
              expect(sorted(fold(late.client, room, late.client.sent)!)).toEqual(sorted(expected));
            }
          }
        },
      ),
      { numRuns: 300, seed: 4127 },
    );
  }, 120_000);
});
