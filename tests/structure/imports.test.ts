import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const SRC = new URL("../../packages/server/src/", import.meta.url).pathname;
const ROOT = new URL("../../", import.meta.url).pathname;

/** What each layer may import, besides itself. */
const LAYERS: Record<string, readonly string[]> = {
  kernel: [],
  engines: ["kernel"],
  features: ["engines", "kernel"],
  doors: ["features", "engines", "kernel"],
};

function filesUnder(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"))
    .map((name) => join(directory, name));
}

const isTest = (file: string) => file.endsWith(".test.ts") || file.includes("/testing/");
const files = filesUnder(SRC).filter((file) => !isTest(file));

/** Files of the server that a file imports, as paths below `src/`. */
function importsOf(file: string): string[] {
  const found = readFileSync(file, "utf8").matchAll(
    /^\s*(?:import|export)[^"';]*?from\s+"(\.[^"]+)"|import\("(\.[^"]+)"\)/gm,
  );
  return [...found].map((match) => relative(SRC, resolve(dirname(file), (match[1] ?? match[2])!)));
}

const edges = files.flatMap((file) => importsOf(file).map((to) => ({ from: relative(SRC, file), to })));
const layerOf = (path: string) => path.split("/")[0]!;
const featureOf = (path: string) => (layerOf(path) === "features" ? path.split("/")[1]! : null);

describe("imports run one way: main → doors → features → engines → kernel", () => {
  it("looks at real files", () => {
    expect(files.length).toBeGreaterThan(50);
    expect(edges.length).toBeGreaterThan(100);
  });

  it("no layer imports one above it", () => {
    const breaches = edges.filter(({ from, to }) => {
      const allowed = LAYERS[layerOf(from)];
      return allowed !== undefined && layerOf(to) !== layerOf(from) && !allowed.includes(layerOf(to));
    });
    expect(breaches).toEqual([]);
  });

  it("a feature uses another only through its service.ts", () => {
    const breaches = edges.filter(({ from, to }) => {
      const [own, other] = [featureOf(from), featureOf(to)];
      return own !== null && other !== null && own !== other && !to.endsWith("/service.ts");
    });
    expect(breaches).toEqual([]);
  });

  it("features make no circle", () => {
    const uses = new Map<string, Set<string>>();
    for (const { from, to } of edges) {
      const [own, other] = [featureOf(from), featureOf(to)];
      if (own !== null && other !== null && own !== other)
        uses.set(own, (uses.get(own) ?? new Set()).add(other));
    }
    const onPath = new Set<string>();
    const circle = (feature: string): boolean => {
      if (onPath.has(feature)) return true;
      onPath.add(feature);
      const found = [...(uses.get(feature) ?? [])].some(circle);
      onPath.delete(feature);
      return found;
    };
    expect([...uses.keys()].filter(circle)).toEqual([]);
  });
});

describe("files", () => {
  const everything = ["packages", "tests", "examples", "scripts", "bench"].flatMap((folder) =>
    filesUnder(join(ROOT, folder)),
  );

  it("stay under 500 lines, and most under 150", () => {
    const lengths = everything.map((file) => ({
      file: relative(ROOT, file),
      lines: readFileSync(file, "utf8").split("\n").length,
    }));
    expect(lengths.filter(({ lines }) => lines > 500)).toEqual([]);
    expect(lengths.filter(({ lines }) => lines <= 150).length).toBeGreaterThan(lengths.length / 2);
  });

  it("hold nothing unfinished", () => {
    const unfinished = new RegExp(["TO" + "DO", "FIX" + "ME", "not impl" + "emented"].join("|"));
    const found = everything.filter((file) => unfinished.test(readFileSync(file, "utf8")));
    expect(found.map((file) => relative(ROOT, file))).toEqual([]);
  });
});
