import { randomUUID } from "node:crypto";
import { errors } from "../../../kernel/errors.ts";
import { workerdErrors } from "../errors.ts";
import type { Traffic } from "../forward/traffic.ts";
import { limits } from "../limits.ts";
import type { Inspection } from "../types.ts";

/** Asks the wrapper of a class, inside the process, about one instance. */
export async function inspectInstance(
  traffic: Traffic,
  unit: string,
  instance: { name: string } | { id: string },
  inspection: Inspection,
): Promise<unknown> {
  const which =
    "name" in instance
      ? `name/${encodeURIComponent(instance.name)}`
      : `id/${encodeURIComponent(instance.id)}`;
  const body = Buffer.from(JSON.stringify(inspection));
  const answer = await traffic.internal(
    {
      requestId: randomUUID(),
      method: "POST",
      path: `/_ambit/inspect/${encodeURIComponent(unit)}/${which}`,
      headers: ["Host", "ambit", "Content-Type", "application/json"],
      body,
      timeoutMs: limits.inspectMs,
    },
    unit,
  );
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limits.inspectBytes) {
      answer.body.destroy();
      throw errors.REQUEST_TOO_LARGE({
        message: "What was found is larger than can be shown at once.",
        remediation: "Ask for fewer entries: a smaller limit, a longer prefix, or fewer columns.",
      });
    }
    chunks.push(chunk);
  }
  return readResult(answer.status, Buffer.concat(chunks).toString("utf8"));
}

/** Statuses below 500 say what was wrong with the question. */
function readResult(status: number, text: string): unknown {
  if (status === 404)
    throw errors.RESOURCE_NOT_FOUND({ message: "There is no such class in the running code." });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw workerdErrors.RUNTIME_UNAVAILABLE({ cause });
  }
  if (status === 200) return value;
  const told = (value as { error?: { message?: unknown } }).error?.message;
  const message = typeof told === "string" ? { message: told } : {};
  throw status < 500 ? workerdErrors.INSPECTION_FAILED(message) : workerdErrors.RUNTIME_UNAVAILABLE(message);
}
