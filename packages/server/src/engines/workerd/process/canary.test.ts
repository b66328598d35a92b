import { afterAll, describe, expect, it } from "vitest";
import { CanaryError } from "../types.ts";
import { closeProcesses, startProcess } from "./index.ts";
import { startFailure } from "./start-failure.ts";
import { configOf, optionsOf, scratch } from "./testing.ts";

const place = scratch();
afterAll(() => {
  closeProcesses();
  place.cleanUp();
});

async function failureOf(code: string): Promise<CanaryError> {
  const program = await startProcess(optionsOf(place.dir, { storage: "empty", configText: configOf(code) }));
  const error = await program.ready.then(
    () => null,
    (reason: unknown) => reason,
  );
  program.kill();
  await program.exited;
  if (error instanceof CanaryError) return error;
  throw new Error("it started");
}

describe("a program that does not start", () => {
  it.each([
    ["throws", "const a = 1;\nthrow new Error('boom');", "Error: boom", 2, 7],
    [
      "throws from a function",
      "const f = () => {\n  null.x;\n};\nf();",
      "TypeError: Cannot read properties of null (reading 'x')",
      2,
      8,
    ],
    ["has a syntax error", "export default {\n  fetch( { }", "SyntaxError: Unexpected end of input", 2, 12],
    [
      "imports what is not there",
      "import x from 'lodash';\nexport default x;",
      'Error: No such module "lodash".\n  imported from "one.js"',
      null,
      null,
    ],
    ["throws lines", "throw new Error('two\\nlines');", "Error: two\nlines", 1, 7],
  ])("because its code %s", async (_why, code, message, line, column) => {
    expect(await failureOf(code)).toMatchObject({ unit: "one", message, line, column });
  });

  it("because its code never ends", async () => {
    const began = performance.now();
    const error = await failureOf("for (;;) {}");
    expect(error.message).toContain("did not start within 5 s");
    expect(performance.now() - began).toBeGreaterThan(4_900);
  }, 20_000);

  it("because the configuration is nonsense", async () => {
    const program = await startProcess(
      optionsOf(place.dir, { storage: "empty", configText: () => "nonsense;" }),
    );
    await expect(program.ready).rejects.toThrow(/Parse error|config\.capnp/);
    expect((await program.exited).code).toBe(1);
  });
});

describe("reading standard error", () => {
  it("says how it ended when it said nothing itself", () => {
    expect(startFailure({ code: null, signal: "SIGKILL", stderr: "" }).message).toBe(
      "workerd ended at once (SIGKILL).",
    );
  });

  it("keeps a long message short", () => {
    const stderr = `service do-room: Uncaught Error: ${"line\n".repeat(100)}  at room.js:3:4\n`;
    const error = startFailure({ code: 1, signal: null, stderr });
    expect(error).toMatchObject({ unit: "room", line: 3, column: 4 });
    expect(error.message.split("\n")).toHaveLength(5);
  });
});
