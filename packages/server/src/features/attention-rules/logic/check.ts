import type { Json } from "../../ledger/service.ts";
import { limits } from "../limits.ts";
import { OPERATORS } from "./operators.ts";

/**
 * What keeps a piece of JSON-Logic from being used, or null: unknown operators, objects with more than one key, or more
 * of anything than its limit. Only what passes is ever evaluated. Pure.
 */
export function logicProblem(logic: Json): string | null {
  let nodes = 0;
  const walk = (node: Json, depth: number): string | null => {
    nodes += 1;
    if (nodes > limits.conditionNodes) return `it has more than ${limits.conditionNodes} parts`;
    if (depth > limits.conditionDepth) return `it is nested more than ${limits.conditionDepth} deep`;
    if (typeof node === "string" && node.length > limits.conditionTextChars) {
      return `a text in it is longer than ${limits.conditionTextChars} characters`;
    }
    if (typeof node !== "object" || node === null) return null;
    if (!Array.isArray(node)) {
      const keys = Object.keys(node);
      if (keys.length !== 1) return `an object in it has ${keys.length} keys instead of one operator`;
      if (!OPERATORS.has(keys[0]!)) return `it uses the operator ${JSON.stringify(keys[0]!.slice(0, 60))}`;
    }
    for (const part of Object.values(node)) {
      const problem = walk(part, depth + 1);
      if (problem !== null) return problem;
    }
    return null;
  };
  if (Buffer.byteLength(JSON.stringify(logic)) > limits.conditionBytes) {
    return `it is larger than ${limits.conditionBytes} bytes`;
  }
  return walk(logic, 0);
}
