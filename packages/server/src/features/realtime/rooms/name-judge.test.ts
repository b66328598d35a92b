import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { limits } from "./limits.ts";
import { NameJudge } from "./name-judge.ts";
import { user } from "./testing/recorder.ts";

let test: TestPlatform;
beforeAll(async () => {
  test = await testPlatform();
});
afterAll(() => test.stop());

/** True at once for most names, and never for slow ones. */
const SLOW_FOR_SOME = "case when channel like 'slow%' then (select true from pg_sleep(20)) else true end";

describe("slow questions", () => {
  it.each([1, 12])(
    "%i of them hold up nobody else's for long, and take away nobody else's place",
    async (many) => {
      const { database, clock } = test.platform;
      const app = await test.createApp();
      const problems: string[] = [];
      const onProblem = (_app: string, sqlstate: string) => void problems.push(sqlstate);
      const judge = new NameJudge({ database, clock, onProblem });
      const begun = performance.now();
      const slow = new Set(Array.from({ length: many }, (_, n) => 7 + n * 11));
      const answers = await Promise.all(
        Array.from({ length: 180 }, (_, n) =>
          slow.has(n)
            ? judge.ask(app.id, SLOW_FOR_SOME, `slow${n}`, user("eve"))
            : judge.ask(app.id, SLOW_FOR_SOME, `name${n}`, user(`user${n}`)),
        ),
      );
      for (const [n, answer] of answers.entries()) {
        if (slow.has(n)) expect(["failed", "unavailable"]).toContain(answer);
        else expect([n, answer]).toEqual([n, "yes"]);
      }
      expect(performance.now() - begun).toBeLessThan(limits.judgeMs + 3 * limits.judgeCancelMs);
      expect(new Set(problems)).toEqual(new Set(["57014"]));
    },
  );
});
