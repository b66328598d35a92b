import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AppStage, Stage } from "./testing/stage.ts";

let stage: Stage;
let app: AppStage;
beforeAll(async () => {
  stage = await Stage.start();
  app = await stage.app(
    ["messages"],
    "create table messages (id uuid primary key default gen_random_uuid(), user_id uuid, body text)",
    "alter table messages enable row level security",
    "create policy own on messages to butterbase_user using (user_id = (current_user_id())::uuid)",
  );
});
afterAll(() => stage?.stop());

const A = "0199aaaa-0000-7000-8000-00000000000a";
const B = "0199aaaa-0000-7000-8000-00000000000b";

describe("realtime over WebSocket", () => {
  it("sends each client what its policies let it see", async () => {
    const a = await app.subscriber({ sub: A }, "messages");
    const b = await app.subscriber({ sub: B }, "messages");
    const anon = await app.subscriber("anon", "messages");
    const service = await app.subscriber("service", "messages");
    await app.write(`insert into messages (user_id, body) values ('${A}', 'secret of a')`);
    await app.write(`update messages set user_id = '${B}'`);
    await app.write(`delete from messages`);
    const seen = await service.changesOnceThere(3);
    expect(seen.map((change) => change.op)).toEqual(["INSERT", "UPDATE", "DELETE"]);
    await b.changesOnceThere(2);
    await a.changesOnceThere(2);
    const short = (changes: any[]) =>
      changes.map((c) => [c.op, c.reason, c.record?.body, c.old_record?.body]);
    expect(short(a.changes())).toEqual([
      ["INSERT", undefined, "secret of a", undefined],
      ["DELETE", "leave", undefined, "secret of a"],
    ]);
    expect(short(b.changes())).toEqual([
      ["INSERT", "enter", "secret of a", undefined],
      ["DELETE", undefined, undefined, "secret of a"],
    ]);
    await anon.fence();
    expect(anon.changes()).toEqual([]);
  });
});
