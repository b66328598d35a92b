import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { workerdErrors } from "../../engines/workerd/errors.ts";
import { type CallEnd, endOfFailure, onAnswerEnd } from "./answer-end.ts";

const failing = (error: unknown) => endOfFailure(error, undefined);

it("tells what was lost with the process from what was turned away, late, or let go", () => {
  expect(failing(workerdErrors.RUNTIME_STOPPED())).toMatchObject({ status: 502, end: "process_lost" });
  // The registry knows by the status that nothing ran.
  expect(failing(workerdErrors.RUNTIME_UNAVAILABLE())).toMatchObject({ status: 503, end: "process_lost" });
  expect(failing(workerdErrors.RUNTIME_BUSY())).toMatchObject({ status: 429, end: "answered" });
  expect(failing(workerdErrors.RUNTIME_TIMEOUT())).toMatchObject({ status: 504, end: "timeout" });
  expect(failing(new Error("?"))).toMatchObject({ status: 0, end: "process_lost" });
  expect(endOfFailure(new Error("?"), AbortSignal.abort())).toMatchObject({ end: "caller_gone" });
});

it("counts what was read of an answer, and tells its end once", async () => {
  const read = async (take: (body: Readable) => Promise<unknown>): Promise<CallEnd[]> => {
    const ends: CallEnd[] = [];
    const body = Readable.from([Buffer.from("abc"), Buffer.from("de")]);
    onAnswerEnd({ status: 200, headers: [], body }, (end) => ends.push(end));
    await take(body);
    await new Promise((resolve) => setImmediate(resolve));
    return ends;
  };
  expect(await read((body) => body.toArray())).toEqual([{ status: 200, end: "answered", bytesOut: 5 }]);
  expect(await read(async (body) => body.destroy())).toEqual([
    { status: 200, end: "caller_gone", bytesOut: 0 },
  ]);
});
