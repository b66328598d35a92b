import { z } from "zod";
import { HttpReply } from "../../kernel/http-reply.ts";
import { type AnyOperation, platformOperation, type ToolInfo } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import { PAGE_HEADERS } from "./pages.ts";
import type { Section } from "./search.ts";
import type { DocsService } from "./service.ts";
import { TOPIC_NAMES } from "./topics.ts";

const DESCRIPTION =
  "Reads the documentation of this server. With topic: that topic's guide and operations. With query: the passages " +
  "about it, in the topic or everywhere. With neither: the overview and the list of topics.";

/** The docs tool is listed under both names: Butterbase clients know the second. */
export const docsTools: ToolInfo[] = ["ambit_docs", "butterbase_docs"].map((name) => ({
  name,
  title: "Read the documentation",
  description: DESCRIPTION,
}));

const topic = z.enum(TOPIC_NAMES);

export function docsOperations(service: DocsService): AnyOperation[] {
  return [readOperation(service), ...pageOperations(service)];
}

function readOperation(service: DocsService): AnyOperation {
  return platformOperation({
    name: "docs.read",
    title: "Read the documentation",
    summary: DESCRIPTION,
    input: z.object({
      topic: topic.optional().describe("What to read about"),
      query: z.string().max(limits.queryChars).optional().describe("Words to search for"),
    }),
    output: z.object({
      topic: z.string().nullable(),
      query: z.string().nullable(),
      content: z.string().describe("Markdown"),
    }),
    right: "public",
    risk: "read",
    idempotent: true,
    mcp: {
      tool: "ambit_docs",
      aliases: ["butterbase_docs"],
      present: (output: { content: string }) => output.content,
    },
    async run(_call, input) {
      const query = input.query?.trim() || null;
      const chosen = input.topic ?? null;
      if (query === null) {
        const name = chosen ?? "overview";
        return { topic: name, query, content: await service.read(name) };
      }
      return { topic: chosen, query, content: present(query, await service.search(query, chosen)) };
    },
  });
}

function present(query: string, sections: readonly Section[]): string {
  if (sections.length === 0)
    return `Nothing is written about "${query}". Topics: ${TOPIC_NAMES.join(", ")}.\n`;
  return `${sections.map(({ title, topic, text }) => `## ${title} (topic ${topic})\n\n${text}`).join("\n\n")}\n`;
}

/** The pages over HTTP; open to everyone, since they say nothing that is not in the program itself. */
function pageOperations(service: DocsService): AnyOperation[] {
  const page = (name: string, title: string, path: string, body: () => Promise<HttpReply>): AnyOperation =>
    platformOperation({
      name: `docs.${name}`,
      title,
      summary: `${title}.`,
      input: z.object({}),
      output: z.any(),
      right: "public",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path },
      run: body,
    });
  const text = (type: string, body: string) =>
    new HttpReply({ headers: { "content-type": `${type}; charset=utf-8` }, body });
  return [
    page(
      "openapi",
      "The OpenAPI document",
      "/openapi.json",
      async () => new HttpReply({ body: service.openApi() }),
    ),
    page(
      "errors",
      "Every error code",
      "/docs/errors",
      async () => new HttpReply({ headers: PAGE_HEADERS, body: service.errorsPage() }),
    ),
    page(
      "index",
      "The way into the documentation",
      "/docs",
      async () => new HttpReply({ headers: PAGE_HEADERS, body: service.indexPage() }),
    ),
    page("llms", "The guide for agents", "/llms.txt", async () =>
      text("text/plain", await service.read("overview")),
    ),
    platformOperation({
      name: "docs.topic",
      title: "One topic of the documentation",
      summary: "A topic's guide and the reference of its operations, as Markdown.",
      input: z.object({ topic }),
      output: z.any(),
      right: "public",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: "/docs/:topic" },
      run: async (_call, input) => text("text/markdown", await service.read(input.topic)),
    }),
  ];
}
