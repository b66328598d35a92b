import type { AnyOperation, Feature } from "../../kernel/operation.ts";
import { type Guide, readGuides } from "./guides.ts";
import { limits } from "./limits.ts";
import { openApiDocument } from "./openapi.ts";
import { errorsPage, indexPage, introduction } from "./pages.ts";
import {
  describeOperation,
  type ErrorEntries,
  isDocumented,
  summarizeOperation,
  topicOfOperation,
} from "./reference.ts";
import { rank, type Section, sectionsOf } from "./search.ts";
import { TOPIC_NAMES, TOPICS, type Topic } from "./topics.ts";

export interface DocsDeps {
  /** Every operation of the server; asked for when the documentation is first read. */
  operations(): readonly AnyOperation[];
  /** Every error code of the server. */
  errors(): ErrorEntries;
  /** Routes that are no operations. */
  paths(): NonNullable<Feature["paths"]>;
  readonly version: string;
  readonly guidesDirectory: string;
  publicUrl(): string;
}

export interface DocsService {
  /** A topic as Markdown: its guides, then the reference of its operations. */
  read(topic: Topic): Promise<string>;
  /** Sections about the query, best first, cut to a readable length; within one topic when it is given. */
  search(query: string, topic: Topic | null): Promise<Section[]>;
  openApi(): object;
  errorsPage(): string;
  indexPage(): string;
}

/** The documentation: guides from disk, everything else made from the operations. Made once, when first asked for. */
export function createDocsService(deps: DocsDeps): DocsService {
  let guides: Promise<Guide[]> | undefined;
  let sections: Promise<Section[]> | undefined;
  const documented = () => deps.operations().filter(isDocumented);
  const loadGuides = () => (guides ??= readGuides(deps.guidesDirectory));
  const loadSections = () =>
    (sections ??= loadGuides().then((all) => allSections(all, documented(), deps.errors())));
  return {
    async read(topic) {
      if (topic === "all") return everything(documented());
      const operations = documented().filter((operation) => topicOfOperation(operation) === topic);
      const own = (await loadGuides())
        .filter((guide) => guide.topic === topic)
        .map((guide) => guide.markdown.trim());
      if (topic === "overview") return [introduction(deps.publicUrl(), deps.version), ...own].join("\n\n");
      if (own.length + operations.length === 0)
        return `# ${topic}\n\nThis server has nothing on ${TOPICS[topic]}.\n`;
      const reference = operations.map((operation) => describeOperation(operation, deps.errors()));
      const heading = reference.length === 0 ? [] : [`## Operations: ${TOPICS[topic]}`];
      return `${[...own, ...heading, ...reference].join("\n\n")}\n`;
    },
    async search(query, topic) {
      const all = await loadSections();
      const within =
        topic === null || topic === "all" ? all : all.filter((section) => section.topic === topic);
      return rank(query, within, limits.results).map((section) => ({
        ...section,
        text: excerpt(section.text),
      }));
    },
    openApi: () => openApiDocument(deps.operations(), deps.paths(), deps.publicUrl(), deps.version),
    errorsPage: () => errorsPage(deps.errors()),
    indexPage: () => indexPage(deps.publicUrl()),
  };
}

function everything(operations: readonly AnyOperation[]): string {
  const parts = TOPIC_NAMES.flatMap((topic) => {
    const lines = operations
      .filter((operation) => topicOfOperation(operation) === topic)
      .map(summarizeOperation);
    return lines.length === 0 ? [] : [`## ${topic}: ${TOPICS[topic]}`, lines.join("\n")];
  });
  return `${parts.join("\n\n")}\n`;
}

function allSections(
  guides: readonly Guide[],
  operations: readonly AnyOperation[],
  errors: ErrorEntries,
): Section[] {
  return [
    ...guides.flatMap(({ markdown, topic, name }) => sectionsOf(markdown, topic, name)),
    ...operations.map((operation) => ({
      title: `${operation.name}: ${operation.title}`,
      topic: topicOfOperation(operation),
      text: describeOperation(operation, errors).split("\n").slice(2).join("\n"),
    })),
    ...Object.entries(errors).map(([code, { status, message, remediation }]) => ({
      title: code,
      topic: "all",
      text: `HTTP ${status}. ${message} ${remediation}`,
    })),
  ];
}

/** The beginning of a text, cut between words. */
function excerpt(text: string): string {
  if (text.length <= limits.excerptChars) return text;
  const cut = text.lastIndexOf(" ", limits.excerptChars);
  return `${text.slice(0, cut > 0 ? cut : limits.excerptChars)}…`;
}
