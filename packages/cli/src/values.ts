import { readJson } from "@ambit/policy";
import { Problem, parse } from "./problem.ts";

/**
 * The values in a file that is a JSON list, or has one JSON value a line. Throws Problem: also for JSON that two readers
 * would understand differently, such as a key that is there twice.
 */
export function listIn(text: string, name: string): unknown[] {
  if (text.trim() === "") throw new Problem(`${name} is empty.`);
  const whole = readJson(text);
  if (whole.ok) return Array.isArray(whole.value) ? [...whole.value] : [whole.value];
  const [first] = whole.problems;
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  // Whatever begins as a list is meant as one.
  if (first?.code !== "not_json" || lines.length < 2 || text.trimStart().startsWith("[")) {
    throw new Problem(`${name}: ${first?.pointer === "" ? "" : `${first?.pointer}: `}${first?.message}.`);
  }
  return lines.map((line, at) => {
    const reading = readJson(line);
    if (reading.ok) return reading.value;
    throw new Problem(`${name}: value ${at + 1}: ${reading.problems[0]?.message}.`);
  });
}

/** The tools in a file: a list of them, what `tools/list` answers, or the whole JSON-RPC message. Throws Problem. */
export function toolsIn(text: string, name: string): Tool[] {
  const value = parse(text) as { tools?: unknown; result?: { tools?: unknown } } | null;
  const tools = Array.isArray(value) ? value : (value?.tools ?? value?.result?.tools);
  if (Array.isArray(tools) && tools.every(isTool)) return tools;
  throw new Problem(`${name} is no list of tools: it takes what an MCP server answers to tools/list.`);
}

type Tool = { readonly name: string };

const isTool = (value: unknown): value is Tool =>
  typeof value === "object" && value !== null && typeof (value as { name?: unknown }).name === "string";
