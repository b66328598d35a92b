import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { limits } from "./limits.ts";
import { type Topic, topicOf } from "./topics.ts";

/** A page of `docs/guides`. */
export interface Guide {
  /** File name without its ending. */
  readonly name: string;
  readonly topic: Topic;
  readonly markdown: string;
}

/** Every guide of a directory by name; none when there is no such directory. */
export async function readGuides(directory: string): Promise<Guide[]> {
  const files = await readdir(directory).catch(() => []);
  const guides: Guide[] = [];
  for (const file of files.filter((name) => name.endsWith(".md")).sort()) {
    const path = join(directory, file);
    if ((await stat(path)).size > limits.guideBytes) continue;
    const name = file.slice(0, -".md".length);
    guides.push({ name, topic: topicOf(name, "overview"), markdown: await readFile(path, "utf8") });
  }
  return guides;
}
