import type { RunningAmbit } from "../harness/ambit.ts";
import { type Api, apiOf } from "../harness/api.ts";
import { withSuperuser } from "../harness/postgres.ts";

/** An app with one table whose rows belong to users, who see nobody else's. */
export interface NotesApp {
  readonly id: string;
  /** As the key of a person who owns the app. */
  readonly api: Api;
}

/** An end user of the app, logged in. */
export interface User {
  readonly id: string;
  readonly token: string;
}

const NOTES = {
  columns: {
    id: { type: "uuid", primaryKey: true, default: "gen_random_uuid()" },
    owner_id: { type: "text", nullable: false },
    title: { type: "text", nullable: false },
    created_at: { type: "timestamptz", nullable: false, default: "now()" },
  },
  indexes: { notes_owner_id: { columns: ["owner_id"] } },
};
const PASSWORD = "Correct-horse-7";
const ROWS_PER_INSERT = 500;

/** Makes the app over the API, as a developer would. */
export async function createNotesApp(ambit: RunningAmbit): Promise<NotesApp> {
  const api = apiOf(ambit, ambit.apiKey);
  const { app_id: id } = await api("POST", "/init", { name: "bench" });
  await api("POST", `/v1/${id}/schema/apply`, { schema: { tables: { notes: NOTES } } });
  await api("POST", `/v1/${id}/rls`, { table_name: "notes", user_column: "owner_id" });
  return { id, api };
}

/** Signs a new user up and logs them in. */
export async function signUp(ambit: RunningAmbit, app: NotesApp, name: string): Promise<User> {
  const nobody = apiOf(ambit, null);
  const credentials = { email: `${name}@example.com`, password: PASSWORD };
  await nobody("POST", `/auth/${app.id}/signup`, credentials);
  const { user, access_token } = await nobody("POST", `/auth/${app.id}/login`, credentials);
  return { id: user.id, token: access_token };
}

/** Inserts `count` notes of each owner and brings the planner's statistics up to date. */
export async function insertNotes(
  ambit: RunningAmbit,
  app: NotesApp,
  owners: readonly string[],
  count: number,
): Promise<void> {
  const rows = owners.flatMap((owner_id) =>
    Array.from({ length: count }, (_, index) => ({ owner_id, title: `Note ${index} to remember` })),
  );
  for (let at = 0; at < rows.length; at += ROWS_PER_INSERT) {
    // An array body inserts every row of it.
    await app.api("POST", `/v1/${app.id}/notes`, rows.slice(at, at + ROWS_PER_INSERT));
  }
  await withSuperuser(ambit.dataDir, (client) =>
    client.query(`analyze ${client.escapeIdentifier(app.id)}.notes`),
  );
}
