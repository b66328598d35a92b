import { randomBytes } from "node:crypto";
import type { Api } from "./api.ts";

/** Makes an app; its id. */
export async function newApp(owner: Api, name = `app-${randomBytes(4).toString("hex")}`): Promise<string> {
  return must(await owner("POST", "/init", { name })).app_id;
}

/** The body of a successful answer; throws with the error body otherwise. */
export function must(answer: { status: number; body: any }): any {
  if (answer.status >= 300) throw new Error(`${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** Declares tables, as `manage_schema apply` does. */
export async function applySchema(
  owner: Api,
  appId: string,
  tables: object,
  rest: object = {},
): Promise<any> {
  return must(await owner("POST", `/v1/${appId}/schema/apply`, { schema: { tables, ...rest } }));
}

/** A table `notes` (id, owner_id, title) where each end user sees their own rows, with realtime on. */
export async function notesApp(owner: Api): Promise<string> {
  const appId = await newApp(owner);
  await applySchema(owner, appId, {
    notes: {
      columns: {
        id: { type: "uuid", primaryKey: true, default: "gen_random_uuid()" },
        owner_id: { type: "text", nullable: false },
        title: { type: "text", nullable: false },
      },
    },
  });
  must(await owner("POST", `/v1/${appId}/rls`, { table_name: "notes", user_column: "owner_id" }));
  must(await owner("POST", `/v1/${appId}/realtime/configure`, { tables: ["notes"] }));
  return appId;
}
