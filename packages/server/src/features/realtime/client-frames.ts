import { z } from "zod";
import { explainFrameSchema } from "./explain-frame.ts";
import { limits } from "./limits.ts";
import { roomFrames } from "./rooms/index.ts";

const table = z.string().min(1).max(63);
/** Any JSON up to a length, which also bounds how deeply it is nested. */
const json = (chars: number) =>
  z.unknown().refine((value) => value === undefined || JSON.stringify(value).length <= chars, {
    message: `is longer than ${chars} characters of JSON`,
  });

const id = z.string().min(1).max(limits.idChars);

const subscribeFrame = z.object({
  type: z.literal("subscribe"),
  table,
  id: id.optional(),
  filter: z
    .union([
      z.string().max(limits.filterChars),
      z
        .record(z.string(), json(limits.filterValueChars))
        .refine((filter) => Object.keys(filter).length <= limits.filterColumns, {
          message: `names more than ${limits.filterColumns} columns`,
        }),
    ])
    .nullish(),
  columns: z.array(z.string().min(1).max(63)).min(1).max(limits.subscriptionColumns).optional(),
  initial: z.boolean().optional(),
  since: z
    .string()
    .regex(/^[0-9A-F]{16}-[0-9A-F]{8}$/, "is not a seq as this server gives it")
    .optional(),
  epoch: z.string().max(100).optional(),
});

export type SubscribeFrame = z.infer<typeof subscribeFrame>;

const unsubscribeFrame = z
  .object({ type: z.literal("unsubscribe"), table: table.optional(), id: id.optional() })
  .refine((frame) => frame.table !== undefined || frame.id !== undefined, {
    message: "is missing: name the table, or the id of a subscription",
    path: ["table"],
  });

/** Frames a client may send. Fields beyond these are ignored, so that newer clients still work. */
const clientFrame = z.discriminatedUnion("type", [
  subscribeFrame,
  unsubscribeFrame,
  ...roomFrames,
  z.object({
    type: z.literal("event"),
    event: z.string().min(1).max(200),
    payload: z.unknown().optional(),
    id: id.optional(),
  }),
  explainFrameSchema,
  z.object({ type: z.literal("auth"), token: z.string().min(1) }),
]);

export type ClientFrame = z.infer<typeof clientFrame>;

/** The frame in a text message, or what is wrong with it in words for the client. */
export function readClientFrame(text: string): { frame: ClientFrame } | { problem: string } {
  let parsed: ReturnType<typeof clientFrame.safeParse>;
  try {
    parsed = clientFrame.safeParse(JSON.parse(text));
  } catch {
    return { problem: "The message is not valid JSON, or nested too deeply." };
  }
  if (parsed.success) return { frame: parsed.data };
  const [issue] = parsed.error.issues;
  const field = issue?.path.join(".") ?? "";
  if (field === "type") {
    const types = clientFrame.options.map((option) => option.shape.type.value).join(", ");
    return { problem: `Unknown message type: type is one of ${types}.` };
  }
  if (field === "") return { problem: "The message must be a JSON object with a type." };
  return { problem: `The field ${field} is missing or wrong: ${issue?.message}` };
}
