import { open } from "node:fs/promises";
import { Problem } from "./problem.ts";

/** The text of a file; `-` reads standard input. Throws Problem when it can't be read or has more than so many bytes. */
export async function readText(path: string, maxBytes: number): Promise<string> {
  const name = path === "-" ? "Standard input" : path;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of path === "-" ? process.stdin : await contentOf(path)) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > maxBytes) throw new Problem(`${name} is larger than ${maxBytes} bytes.`);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === undefined ? error : new Problem(`${name} can't be read (${code}).`);
  }
  return Buffer.concat(chunks).toString("utf8");
}

const contentOf = async (path: string) => (await open(path)).createReadStream();
