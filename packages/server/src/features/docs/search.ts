/** A piece of documentation small enough to show in an answer. */
export interface Section {
  readonly title: string;
  readonly topic: string;
  readonly text: string;
}

/** BM25's usual constants: how fast repeated words stop counting, and how much length counts. */
const SATURATION = 1.2;
const LENGTH_WEIGHT = 0.75;
/** A word of the title counts as often as this many in the text. */
const TITLE_WEIGHT = 4;

/** Cuts a Markdown page at its headings. */
export function sectionsOf(markdown: string, topic: string, pageTitle: string): Section[] {
  const sections: Section[] = [];
  let title = pageTitle;
  let lines: string[] = [];
  let fenced = false;
  const flush = () => {
    const text = lines.join("\n").trim();
    if (text !== "") sections.push({ title, topic, text });
    lines = [];
  };
  for (const line of markdown.split("\n")) {
    if (line.startsWith("```")) fenced = !fenced;
    const heading = fenced ? null : /^#{1,4} (.+)$/.exec(line);
    if (heading === null) lines.push(line);
    else {
      flush();
      title = heading[1]!.trim();
    }
  }
  flush();
  return sections;
}

/** Sections about the query, best first (BM25). Pure. */
export function rank(query: string, sections: readonly Section[], most: number): Section[] {
  const wanted = new Set(words(query));
  const documents = sections.map((section) => {
    const counts = new Map<string, number>();
    const text = words(section.text);
    for (const word of text) counts.set(word, (counts.get(word) ?? 0) + 1);
    for (const word of words(section.title)) counts.set(word, (counts.get(word) ?? 0) + TITLE_WEIGHT);
    return { section, counts, length: text.length };
  });
  const meanLength =
    documents.reduce((sum, { length }) => sum + length, 0) / Math.max(1, documents.length) || 1;
  const weights = new Map<string, number>();
  for (const word of wanted) {
    const holders = documents.filter(({ counts }) => counts.has(word)).length;
    weights.set(word, Math.log(1 + (documents.length - holders + 0.5) / (holders + 0.5)));
  }
  const scored = documents.map(({ section, counts, length }) => {
    const damping = SATURATION * (1 - LENGTH_WEIGHT + (LENGTH_WEIGHT * length) / meanLength);
    let score = 0;
    for (const [word, weight] of weights) {
      const count = counts.get(word) ?? 0;
      score += (weight * count * (SATURATION + 1)) / (count + damping);
    }
    return { section, score };
  });
  const found = scored.filter(({ score }) => score > 0).sort((a, b) => b.score - a.score);
  return found.slice(0, most).map(({ section }) => section);
}

/** Words in lower case without plural s; names with underscores or dots count whole and in parts. */
function words(text: string): string[] {
  const whole = text.toLowerCase().match(/[\p{L}\p{N}]+(?:[_.][\p{L}\p{N}]+)*/gu) ?? [];
  return whole.flatMap((word) => {
    const parts = word.split(/[_.]/).map((part) => (part.length > 3 ? part.replace(/s$/, "") : part));
    return parts.length === 1 ? parts : [word, ...parts];
  });
}
