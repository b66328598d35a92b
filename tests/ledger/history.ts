import { must } from "../support/app.ts";
import { type Organization, proposed } from "./stand.ts";

const AT_ONCE = 6;

/** Runs `work` for 0 to `count - 1`, a few at a time. */
export async function each(count: number, atOnce: number, work: (n: number) => Promise<unknown>) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** What goes on in two organisations for a while: actions, decisions of a person, changes by an admin. */
export async function liveOn(
  ours: Organization,
  theirs: Organization,
  round: number,
  actions: number,
): Promise<void> {
  const learn = ({ owner }: Organization, n: number) =>
    proposed(owner, "record_learning", {
      title: `round ${round}, ${n}`,
      description: `secret ${round}-${n}`,
    });
  await Promise.all([
    each(actions, AT_ONCE, (n) => learn(ours, n)),
    each(Math.ceil(actions * 0.7), AT_ONCE, (n) => learn(theirs, n)),
  ]);
  const draft = { to: "ada@example.com", subject: `round ${round}`, body: "Hello" };
  const [yes, no] = [
    await proposed(ours.owner, "send_email_draft", draft),
    await proposed(ours.owner, "send_email_draft", draft),
  ];
  must(await ours.owner("POST", `/v1/approvals/${yes.approval_id}/approve`, {}));
  must(await ours.owner("POST", `/v1/approvals/${no.approval_id}/reject`, { reason: `not in ${round}` }));
  must(
    await ours.owner("PUT", "/v1/me/substrate/capabilities/place_call/policy", {
      ...{ mode: "approval", approvers: round + 1 },
    }),
  );
  must(await theirs.owner("POST", "/api-keys", { name: `key ${round}` }));
}
