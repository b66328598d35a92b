import { afterAll, afterEach, beforeAll } from "vitest";
import { forgedCheckpoints } from "./forged-checkpoints.ts";
import { forgedEntries } from "./forged-entries.ts";
import { forgedFile } from "./forged-file.ts";
import { noticing } from "./noticing.ts";
import { type TamperedStand, tamperedStand } from "./tampered-stand.ts";

let stand: TamperedStand;
beforeAll(async () => {
  stand = await tamperedStand();
}, 90_000);
afterEach(() => stand.forger.restore());
afterAll(() => stand.stop());

for (const suite of [forgedEntries, forgedCheckpoints, forgedFile, noticing]) suite(() => stand);
