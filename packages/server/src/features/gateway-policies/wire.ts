import { z } from "zod";
import { documentIn } from "./document.ts";
import { limits } from "./limits.ts";
import type { ShownPolicy } from "./service.ts";
import type { ListedRow, PolicyRow, VersionRow } from "./store.ts";

const time = z.string().describe("ISO 8601");

export const serverRef = z.string().max(80).describe("The server's id, or ambit for the built-in server");
export const policyId = z.uuid().describe("The policy; list_policies shows the ids");
export const policyName = z
  .string()
  .trim()
  .min(1)
  .max(limits.nameChars)
  .describe("What people call the policy");

/** An object, or its text: only a text can show that a key stands in it twice. */
export const documentField = z
  .unknown()
  .refine((value) => value !== undefined, "is required")
  .meta({
    anyOf: [{ type: "object" }, { type: "string" }],
    description:
      'The policy document, version "1": a JSON object, or its text, in which keys that stand twice are found too',
  });

const problem = z.object({
  pointer: z.string().describe('JSON pointer into the document; "" is the whole'),
  message: z.string(),
});
export const problems = z.array(problem);

/** What writing a document answers. */
export const writtenShape = z.object({
  policy_id: z.string(),
  version: z.number().int().describe("The version that holds now"),
  warnings: problems.describe("Doubtful places, such as rules about tools the server does not have"),
});

export const listedShape = z.object({
  policy_id: z.string(),
  server_id: z.string(),
  name: z.string(),
  version: z.number().int().describe("The version that holds"),
  document_sha256: z.string(),
  created_at: time,
  updated_at: time.describe("When this version was written, ISO 8601"),
});

export const shownShape = listedShape.extend({
  document: z.unknown().describe("As it was written: an object, or its text when that was asked for"),
  warnings: problems,
  grants: z.array(z.object({ grant_id: z.string(), label: z.string() })).describe("Live grants that have it"),
});

const versionShape = z.object({
  version: z.number().int(),
  document_sha256: z.string(),
  bytes: z.number().int(),
  created_at: time,
  created_by: z.string().describe("The member who wrote it"),
});
export const versionsShape = z.array(versionShape);

export const versionDocumentShape = versionShape.extend({
  policy_id: z.string(),
  document: z.unknown().describe("As it was written: an object, or its text when that was asked for"),
});

export const listedView = (
  row: PolicyRow & Pick<VersionRow, "document_sha256">,
): z.infer<typeof listedShape> => ({
  policy_id: row.id,
  server_id: row.server_id,
  name: row.name,
  version: row.version,
  document_sha256: row.document_sha256,
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString(),
});

const documentAs = (text: string, as: "object" | "text"): unknown =>
  as === "text" ? text : documentIn(text);

export const shownView = (
  { row, version, warnings, users }: ShownPolicy,
  as: "object" | "text",
): z.infer<typeof shownShape> => ({
  ...listedView({ ...row, document_sha256: version.document_sha256 } satisfies ListedRow),
  document: documentAs(version.document, as),
  warnings: [...warnings],
  grants: users.map(({ id, label }) => ({ grant_id: id, label })),
});

export const versionView = (
  row: Omit<VersionRow, "document"> & { readonly bytes: number },
): z.infer<typeof versionShape> => ({
  version: row.version,
  document_sha256: row.document_sha256,
  bytes: row.bytes,
  created_at: row.created_at.toISOString(),
  created_by: row.account_id,
});

export const versionDocumentView = (
  row: VersionRow,
  as: "object" | "text",
): z.infer<typeof versionDocumentShape> => ({
  ...versionView({ ...row, bytes: Buffer.byteLength(row.document) }),
  policy_id: row.policy_id,
  document: documentAs(row.document, as),
});
