import { canonicalText } from "@ambit/ledger";
import type { ToolDefinition } from "@ambit/policy";
import { sha256Hex } from "../../kernel/ids.ts";
import type { Json } from "../ledger/service.ts";
import { serverErrors } from "./errors.ts";
import { limits } from "./limits.ts";

/** A tool as a server listed it. */
export interface SeenTool {
  readonly name: string;
  readonly definition: ToolDefinition;
  /** Canonical JSON (RFC 8785) of the whole definition: every field, known or not. */
  readonly text: string;
  /** SHA-256 of `text`, hex. */
  readonly hash: string;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: names with control characters are what is looked for
const UNUSABLE_NAME = /[\u0000-\u001f\u007f]/;

/**
 * Reads definitions as a list has them. Pure. Throws GATEWAY_TOOLS_UNREADABLE for a tool without a usable name, two of one
 * name, or what is not JSON, and QUOTA_GATEWAY_TOOLS beyond the limits: then nothing of the list may be used.
 */
export function readTools(tools: readonly unknown[]): SeenTool[] {
  if (tools.length > limits.tools) throw tooMuch(`It lists more than ${limits.tools} tools.`);
  const names = new Set<string>();
  let bytes = 0;
  return tools.map((value) => {
    const seen = readTool(value);
    if (names.has(seen.name)) throw unreadable(`It lists two tools called ${seen.name}.`);
    names.add(seen.name);
    bytes += Buffer.byteLength(seen.text);
    if (bytes > limits.listBytes) throw tooMuch(`Its tools are larger than ${limits.listBytes} bytes.`);
    return seen;
  });
}

function readTool(value: unknown): SeenTool {
  const name = typeof value === "object" && value !== null ? (value as { name?: unknown }).name : undefined;
  if (typeof name !== "string" || name === "") throw unreadable("It lists a tool without a name.");
  if (name.length > limits.toolNameChars || UNUSABLE_NAME.test(name) || !name.isWellFormed()) {
    throw unreadable(
      `It lists a tool whose name is longer than ${limits.toolNameChars} characters, or no plain text.`,
    );
  }
  const text = canonicalOf(value, name);
  if (Buffer.byteLength(text) > limits.definitionBytes) {
    throw tooMuch(`The definition of ${name} is larger than ${limits.definitionBytes} bytes.`);
  }
  return { name, definition: value as ToolDefinition, text, hash: sha256Hex(text) };
}

function canonicalOf(value: unknown, name: string): string {
  try {
    return canonicalText(value as Json);
  } catch (error) {
    throw unreadable(`The definition of ${name} is not plain JSON.`, error);
  }
}

export const unreadable = (message: string, cause?: unknown) =>
  serverErrors.GATEWAY_TOOLS_UNREADABLE({ message: `${message} None of its list is used.`, cause });

const tooMuch = (message: string) => serverErrors.QUOTA_GATEWAY_TOOLS({ message });
