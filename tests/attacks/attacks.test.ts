import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ATTACKS } from "../../examples/attacks/attacks.ts";
import { COMMAND, play, type Theatre, USER_ENVIRONMENT } from "../../examples/attacks/support/play.ts";
import { Stage } from "../../examples/attacks/support/stage.ts";
import { discard, type Server, startServer } from "../support/server.ts";

let stage: Stage;
let server: Server | undefined;
let theatre: Theatre;

beforeAll(async () => {
  stage = await Stage.open();
  server = await startServer({
    ...USER_ENVIRONMENT,
    AMBIT_ALLOW_PRIVATE_FETCH: stage.host,
    AMBIT_STDIO_ALLOW: COMMAND,
  });
  theatre = { stage, ambit: server };
});

afterAll(async () => {
  await discard(server);
  await stage?.close();
});

describe.concurrent("every attack does harm without Ambit, and none behind it", () => {
  for (const attack of ATTACKS) {
    it(`${attack.name}: ${attack.title}`, async () => {
      expect(await play(theatre, attack)).toMatchObject({ problems: [], without: true, with: false });
    });
  }
});

describe("the library", () => {
  const folder = new URL("../../examples/attacks/", import.meta.url);

  it("has every attack there is a folder for, under its own name", () => {
    const folders = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== "support")
      .map(({ name }) => name);
    expect(ATTACKS.map(({ name }) => name).toSorted()).toEqual(folders.toSorted());
  });

  it("is told whole in docs/attacks.md: title, harm, guard, rule and command", () => {
    const page = readFileSync(new URL("../../docs/attacks.md", import.meta.url), "utf8");
    for (const { name, title, harm, stop } of ATTACKS) {
      const line = page.split("\n").find((each) => each.includes(`\`npm run attacks -- ${name}\``));
      for (const said of [title, harm, stop.by, stop.decision?.rule ?? stop.refusal])
        expect(line).toContain(said);
    }
  });
});
