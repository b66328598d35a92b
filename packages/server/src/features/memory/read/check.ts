import { errors } from "../../../kernel/errors.ts";
import { inputs, type ReadName } from "./inputs.ts";
import type { CheckedReads, WireReads } from "./reads.ts";

/** The same ways of reading for callers whose input nobody has checked. */
export function checking(reads: CheckedReads): WireReads {
  const names = Object.keys(inputs) as ReadName[];
  return Object.fromEntries(
    names.map((name) => [
      name,
      async (...[reader, given]: Parameters<WireReads[ReadName]>) => {
        const parsed = inputs[name].safeParse(given);
        if (parsed.success) return reads[name](reader, parsed.data as never);
        const { issues } = parsed.error;
        throw errors.VALIDATION_INVALID_SCHEMA({
          message: issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("\n"),
          details: issues.map(({ path, message, code }) => ({ path: path.join("."), message, code })),
        });
      },
    ]),
  ) as unknown as WireReads;
}
