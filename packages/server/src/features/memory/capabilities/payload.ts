import { z } from "zod";
import { errors } from "../../../kernel/errors.ts";
import { inputProblem } from "../../../kernel/plain-input.ts";
import type { Json, JsonObject } from "../../ledger/service.ts";
import { limits } from "../limits.ts";
import { isObject } from "../write/json.ts";
import type { LimitHit } from "../write/retry.ts";
import type { Declaration } from "./capability.ts";

/** A line or a text that says something. */
export const text = (chars: number) => z.string().max(chars).refine(isSaid, { message: "must not be empty" });

const isSaid = (value: string): boolean => value.trim() !== "";

export const title = text(limits.titleChars);
export const longText = text(limits.textChars);
export const name = text(limits.nameChars).transform((value) => value.trim());
export const value = text(limits.valueChars).transform((each) => each.trim());
/** An id of ours, of any kind; whether it is there is found out when the action runs. */
export const id = z.string().regex(/^[a-z]+_[0-9a-z]{1,64}$/, "is no id: ids look like ent_01…, dec_01…");

/** What a check says whose failing means that a limit was hit. */
export function bound(limit: string, message: string) {
  return { message, params: { limit } };
}

/** A JSON object within bounds. */
export const object = z
  .custom<JsonObject>((each) => isObject(each as Json), "must be an object")
  .refine(
    (each) => JSON.stringify(each).length <= limits.objectChars,
    bound("memory_object_chars", `must take at most ${limits.objectChars} characters as JSON`),
  );

export const email = z
  .string()
  .trim()
  .max(320)
  .regex(/^[^\s@]+@[^\s@]+$/, "is no e-mail address");

/** A point in time, given as ISO 8601; without an offset it is UTC, without a time midnight. Kept in UTC. */
export const instant = z
  .union([z.iso.datetime({ offset: true }), z.iso.datetime({ local: true }), z.iso.date()], {
    error: "must be a date or time in ISO 8601, e.g. 2027-01-31 or 2027-01-31T09:00:00Z",
  })
  .transform((given) => {
    const zoned = /T.*(Z|[+-]\d\d:?\d\d)$/i.test(given) || !given.includes("T") ? given : `${given}Z`;
    return new Date(zoned).toISOString();
  });

/** An absolute URL nobody can be harmed with by following it. */
export const url = text(limits.urlChars).refine((given) => {
  const parsed = URL.parse(given);
  return parsed !== null && !["javascript:", "data:", "vbscript:"].includes(parsed.protocol);
}, "must be an absolute URL such as https://example.com/notes");

/**
 * The payload as it is stored, or VALIDATION_INVALID_SCHEMA with every problem. Parsing what was parsed gives the
 * same again.
 */
export function parsePayload(declaration: Declaration, payload: JsonObject, hit: LimitHit): JsonObject {
  const problem = isObject(payload) ? inputProblem(payload, limits.payloadDepth) : "must be an object";
  if (problem !== null) {
    if (problem.includes("nested too deep")) hit("memory_payload_depth");
    throw invalid(declaration.name, [{ path: "payload", message: problem, code: "custom" }]);
  }
  const known = Object.keys(declaration.payload.shape);
  const given = Object.entries(payload).filter(([field, each]) => {
    if (each === undefined) return false;
    return each !== null || !declaration.nullIsAbsent || !known.includes(field);
  });
  const parsed = declaration.payload.safeParse(Object.fromEntries(given));
  if (parsed.success) return parsed.data as JsonObject;
  const { issues } = parsed.error;
  for (const limit of new Set(issues.flatMap(limitsOf))) hit(limit);
  throw invalid(
    declaration.name,
    issues.flatMap((issue) => problemsOf(issue, known)),
  );
}

/** What a JSON Schema of the payload says, for those who fill it in. */
export function payloadSchema(declaration: Declaration): JsonObject {
  return z.toJSONSchema(declaration.payload, { io: "input", unrepresentable: "any" }) as JsonObject;
}

/** The limits that an issue says were hit. */
function limitsOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "too_big") return ["memory_field_size"];
  const limit: unknown = issue.code === "custom" ? issue.params?.limit : undefined;
  return typeof limit === "string" ? [limit] : [];
}

interface Problem {
  /** Fields with dots between them; empty: the payload as a whole. */
  readonly path: string;
  readonly message: string;
  readonly code: string;
}

function problemsOf(issue: z.core.$ZodIssue, known: readonly string[]): Problem[] {
  const path = issue.path.join(".");
  const { code } = issue;
  if (code === "unrecognized_keys") {
    const fields = path === "" ? ` The fields are: ${known.join(", ")}.` : "";
    return issue.keys.map((key) => ({
      path: path === "" ? key : `${path}.${key}`,
      message: `is no field of this.${fields}`,
      code,
    }));
  }
  const absent = code === "invalid_type" && issue.message.endsWith("received undefined");
  return [{ path, message: absent ? `is required (${issue.expected})` : issue.message, code }];
}

function invalid(capability: string, problems: readonly Problem[]) {
  const lines = problems.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  return errors.VALIDATION_INVALID_SCHEMA({
    message: `The payload of ${capability} is not valid.\n${lines.join("\n")}`,
    details: problems,
  });
}
