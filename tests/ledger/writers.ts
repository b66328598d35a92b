import { setTimeout as sleep } from "node:timers/promises";
import type { Api } from "../support/api.ts";
import { propose } from "./stand.ts";

/** One step that a server acknowledged, and when it was asked for and answered, in milliseconds of one clock. */
export interface Acknowledged {
  readonly step: "learned" | "asked" | "approved";
  readonly actionId: string;
  readonly approvalId: string | null;
  readonly askedMs: number;
  readonly answeredMs: number;
}

/** Writers that go on whatever happens to the servers, each in turn at one of the nodes that are there. */
export function startWriters(count: number, nodes: () => readonly Api[]) {
  const acknowledged: Acknowledged[] = [];
  let stopped = false;

  const step = async (
    api: Api,
    kind: Acknowledged["step"],
    work: (api: Api) => Promise<any>,
    asked: Acknowledged | null = null,
  ) => {
    const askedMs = performance.now();
    const answer = await work(api).catch(() => null);
    const answeredMs = performance.now();
    if (answer === null || answer.status !== 200) {
      await sleep(10);
      return null;
    }
    const { action_id: actionId, approval_id: approvalId = null } = answer.body;
    const about = asked ?? { actionId, approvalId };
    const done: Acknowledged = { ...about, step: kind, askedMs, answeredMs };
    acknowledged.push(done);
    return done;
  };

  const write = async (writer: number) => {
    for (let n = 0; !stopped; n += 1) {
      const apis = nodes();
      const api = apis[(writer + n) % apis.length]!;
      const title = `w${writer}-${n}`;
      if (writer % 4 !== 0) {
        await step(api, "learned", (at) => propose(at, "record_learning", { title, description: title }));
        continue;
      }
      const draft = { to: "ada@example.com", subject: title, body: "Hello" };
      const asked = await step(api, "asked", (at) => propose(at, "send_email_draft", draft));
      if (asked === null) continue;
      const path = `/v1/me/substrate/actions/${asked.actionId}/approve`;
      await step(api, "approved", (at) => at("POST", path, {}), asked);
    }
  };
  const writers = Array.from({ length: count }, (_, writer) => write(writer));
  return {
    acknowledged,
    /** Waits until so many further steps were acknowledged. */
    async progress(more: number) {
      const goal = acknowledged.length + more;
      while (acknowledged.length < goal) await sleep(5);
    },
    async stop() {
      stopped = true;
      await Promise.all(writers);
    },
  };
}
