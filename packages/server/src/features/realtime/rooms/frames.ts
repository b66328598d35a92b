import { z } from "zod";
import { errorFrame, type Frame } from "../frames.ts";
import { limits } from "./limits.ts";

/** Names go to Postgres as they are and are compared as they are: so no control characters and no half characters. */
const name = z
  .string()
  .min(1)
  .max(limits.nameChars)
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), {
    message: "has characters that a name can't have",
  });
const id = z.string().min(1).max(limits.idChars);

/** Frames a client may send about rooms and channels; sizes of their contents are looked at where they are handled. */
export const roomFrames = [
  z.object({ type: z.literal("presence_track"), room: name.nullish(), metadata: z.unknown().optional() }),
  z.object({ type: z.literal("presence_update"), room: name.nullish(), metadata: z.unknown().optional() }),
  z.object({ type: z.literal("presence_untrack"), room: name.nullish() }),
  z.object({ type: z.literal("broadcast_join"), channel: name, self: z.boolean().nullish() }),
  z.object({ type: z.literal("broadcast_leave"), channel: name }),
  z.object({
    type: z.literal("broadcast"),
    channel: name,
    event: z.string().min(1).max(limits.eventChars),
    payload: z.unknown().optional(),
    id: id.nullish(),
  }),
] as const;

export type RoomFrame = z.infer<(typeof roomFrames)[number]>;

/** Why somebody is no longer in a room or channel, other than by their own wish. */
export type OutReason = "denied" | "undecided";

/** A problem in words, with what it is about. */
export const problemFrame = (
  message: string,
  about: { room?: string | null; channel?: string; id?: string | null },
): Frame => {
  const named = Object.entries(about).filter(([, value]) => value !== null && value !== undefined);
  return errorFrame(message, Object.fromEntries(named));
};

/** JSON text of a value of a client's; null if it is nested deeper than `limits.jsonDepth`. */
export function jsonText(value: unknown): string | null {
  try {
    const text = JSON.stringify(value) ?? "null";
    return depthOf(text) > limits.jsonDepth ? null : text;
  } catch {
    // So deep that it can't even be written.
    return null;
  }
}

/** How deeply the arrays and objects of a JSON text are nested. */
export function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[{]|[\]}]/g)) {
    if (token === "[" || token === "{") deepest = Math.max(deepest, ++depth);
    else if (token === "]" || token === "}") depth -= 1;
  }
  return deepest;
}
