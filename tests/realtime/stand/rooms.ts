import { expect } from "vitest";
import type { Frame, RealtimeClient } from "../../support/realtime.ts";

/** Sends a frame and gives the first frame after it that passes. */
export async function ask(
  client: RealtimeClient,
  frame: object,
  test: (frame: Frame) => boolean,
): Promise<Frame> {
  const from = client.frames.length;
  client.send(frame);
  return later(client, from, test);
}

/** The first frame from place `from` on that passes. */
export function later(
  client: RealtimeClient,
  from: number,
  test: (frame: Frame) => boolean,
  withinMs = 10_000,
): Promise<Frame> {
  const known = new Set(client.frames.slice(0, from));
  return client.waitFor((frame) => !known.has(frame) && test(frame), withinMs);
}

/** What a frame is answered with, be it an error. */
export const answer = (client: RealtimeClient, frame: object, type: string): Promise<Frame> =>
  ask(client, frame, (got) => got.type === type || got.type === "error");

let fences = 0;

/** Everything the client sent before has been answered. */
export async function answered(client: RealtimeClient): Promise<void> {
  const channel = `fence ${fences++}`;
  await ask(
    client,
    { type: "broadcast_leave", channel },
    (got) => got.type === "broadcast_left" && got.channel === channel,
  );
}

export const join = (client: RealtimeClient, channel: string, self?: boolean): Promise<Frame> =>
  ask(
    client,
    { type: "broadcast_join", channel, ...(self === undefined ? {} : { self }) },
    (got) => (got.type === "broadcast_joined" || got.type === "error") && got.channel === channel,
  );

let messages = 0;

/** Sends a message; the ack, or the error that came instead. */
export function say(client: RealtimeClient, channel: string, payload: unknown): Promise<Frame> {
  const id = `m${messages++}`;
  return ask(client, { type: "broadcast", channel, event: "say", payload, id }, (got) => got.id === id);
}

/** Payloads that came in a channel. */
export const heard = (client: RealtimeClient, channel: string): unknown[] =>
  client.frames
    .filter((got) => got.type === "broadcast" && got.channel === channel)
    .map(({ payload }) => payload);

export const track = (client: RealtimeClient, room: string, metadata: unknown = {}): Promise<Frame> =>
  ask(
    client,
    { type: "presence_track", room, metadata },
    (got) => (got.type === "presence_state" || got.type === "error") && got.room === room,
  );

/** What a member shows, as text that can be compared. */
const shown = ({ user_id, metadata }: { user_id: string | null; metadata: unknown }) =>
  JSON.stringify([user_id, metadata]);

/**
 * Who is in a room, by nothing but a client's frames; null while it is in none. Fails on what can't be folded: someone
 * who comes twice, goes twice, or changes without being there, and news of a room one is not in.
 */
export function folded(client: RealtimeClient, room: string): Map<string, string> | null {
  let view: Map<string, string> | null = null;
  for (const frame of client.frames) {
    if (frame.room !== room) continue;
    if (frame.type === "presence_state") {
      view = new Map(frame.clients.map((one: any) => [one.client_id, shown(one)]));
      expect(view.size, "everybody once").toBe(frame.clients.length);
    } else if (frame.type === "presence_untracked") view = null;
    else if (frame.type === "presence_diff") {
      if (view === null) throw new Error(`news of ${room}, where it is not`);
      for (const one of frame.joins) {
        expect(view.has(one.client_id), `${one.client_id} comes twice`).toBe(false);
        view.set(one.client_id, shown(one));
      }
      for (const one of frame.updates) {
        expect(view.has(one.client_id), `${one.client_id} changes and is not there`).toBe(true);
        view.set(one.client_id, shown(one));
      }
      for (const one of frame.leaves) {
        expect(view.delete(one.client_id), `${one.client_id} goes and is not there`).toBe(true);
      }
    }
  }
  return view;
}

/** The id by which others know this connection. */
export const idOf = (client: RealtimeClient): string =>
  client.frames.find(({ type }) => type === "connected")!.client_id;

/** Looks again until it holds, and fails with the last failure otherwise. */
export async function eventually(look: () => void, withinMs = 8_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      return look();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
