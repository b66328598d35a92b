/**
 * The compiler's process: takes one file after another from the server and answers each. It has nothing the server
 * has: no environment, no connections; whatever a file does to the native parsers ends here.
 */
import { compile } from "./compile.ts";
import { type Job, type Reply, tooDeep } from "./protocol.ts";
import { RefusedSource } from "./source-error.ts";

function answer(job: Job): Reply {
  const { id, kind, source, fileName } = job;
  try {
    return { id, result: compile(kind, source, fileName) };
  } catch (error) {
    if (error instanceof RefusedSource) return { id, refusal: error.refusal };
    if (error instanceof RangeError) return { id, refusal: tooDeep };
    return { id, failure: String(error instanceof Error ? error.stack : error) };
  }
}

const send = (reply: Reply) => process.send?.(reply);
// The server is gone, or wants no more.
process.on("disconnect", () => process.exit(0));
process.on("message", (job: Job) => send(answer(job)));
send({ ready: true });
