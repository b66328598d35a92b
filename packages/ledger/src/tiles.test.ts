import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { Frontier } from "./frontier.ts";
import { leafHash } from "./hashing.ts";
import { verifyConsistency, verifyInclusion } from "./proof.ts";
import * as naive from "./testing/naive.ts";
import { appendLeaves, hashInTile, nodesInTiles, placeInTile, TILE_WIDTH, type TileHash } from "./tiles.ts";
import { consistencyProof, inclusionProof, rootOf } from "./tree.ts";
import type { Hash } from "./types.ts";

/** Two full tiles of tile level 1 and the beginning of a third. */
const SIZE = 2 * TILE_WIDTH ** 2 + 5 * TILE_WIDTH + 17;
const leaves: Hash[] = Array.from({ length: SIZE }, (_, index) => leafHash(`leaf ${index}`));

/** Rows as a database would keep them: level → hashes by index. */
const rows: Hash[][] = [leaves];
/** Roots at the sizes between batches. */
const roots = new Map<number, Hash>();
const stored: TileHash[] = [];
beforeAll(() => {
  const tree = new Frontier();
  for (let at = 0, batch = 1; at < SIZE; at += batch, batch = (batch * 7) % 1009) {
    stored.push(...appendLeaves(tree, leaves.slice(at, at + batch)));
    roots.set(tree.size, tree.root());
  }
  for (const { level, index, hash } of stored) {
    rows[level] ??= [];
    expect(rows[level].length).toBe(index);
    rows[level].push(hash);
  }
});

/** Tiles as they were when the tree had `size` leaves, counting what is read. */
function tilesAt(size: number) {
  const read: string[] = [];
  const nodeAt = nodesInTiles(async (level, tile) => {
    read.push(`${level}/${tile}`);
    const known = Math.floor(size / TILE_WIDTH ** level);
    const end = Math.min((tile + 1) * TILE_WIDTH, known);
    return Buffer.concat(rows[level]!.slice(tile * TILE_WIDTH, end));
  });
  return { nodeAt, read };
}

const someSize = fc.constantFrom(...Array.from({ length: 200 }, (_, at) => at)).chain((at) => {
  const sizes = [...roots.keys()];
  return fc.constant(sizes[at % sizes.length]!);
});

describe("tiles", () => {
  it("are stored once per complete subtree of every eighth level", () => {
    expect(rows.map((row) => row.length)).toEqual([SIZE, Math.floor(SIZE / 256), Math.floor(SIZE / 65_536)]);
    expect([...new Set(stored.map(({ level }) => level))].sort()).toEqual([1, 2]);
    expect(new Set(stored.map(({ level, index }) => `${level}/${index}`)).size).toBe(stored.length);
    for (const index of [0, 1, 300]) {
      const root = naive.root(leaves.slice(index * 256, (index + 1) * 256));
      expect(rows[1]![index]!.equals(root)).toBe(true);
    }
  });

  it("say where each subtree is", () => {
    expect(placeInTile(0, 255)).toEqual({ level: 0, tile: 0, offset: 255, count: 1 });
    expect(placeInTile(0, 256)).toEqual({ level: 0, tile: 1, offset: 0, count: 1 });
    expect(placeInTile(7, 3)).toEqual({ level: 0, tile: 1, offset: 128, count: 128 });
    expect(placeInTile(8, 300)).toEqual({ level: 1, tile: 1, offset: 44, count: 1 });
    expect(placeInTile(17, 1)).toEqual({ level: 2, tile: 0, offset: 2, count: 2 });
    const tile = Buffer.concat(leaves.slice(256, 512));
    expect(hashInTile(tile, 128, 128).equals(naive.root(leaves.slice(384, 512)))).toBe(true);
    expect(() => hashInTile(tile.subarray(0, 250 * 32), 248, 8)).toThrow(/250 hashes lacks hash 255/);
  });

  it("give roots and proofs of any size with few reads", async () => {
    await fc.assert(
      fc.asyncProperty(someSize, someSize, fc.nat(), async (one, other, pick) => {
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        const [fromRoot, toRoot] = [roots.get(from)!, roots.get(to)!];
        const atRoot = tilesAt(to);
        expect((await rootOf(to, atRoot.nodeAt)).equals(toRoot)).toBe(true);
        const index = pick % to;
        const atInclusion = tilesAt(to);
        const path = await inclusionProof(index, to, atInclusion.nodeAt);
        const leaf = leaves[index]!;
        expect(verifyInclusion({ index, size: to, leaf, root: toRoot, proof: path })).toBe(true);
        const atConsistency = tilesAt(to);
        const proof = await consistencyProof(from, to, atConsistency.nodeAt);
        expect(verifyConsistency({ from, to, fromRoot, toRoot, proof })).toBe(true);
        for (const { read } of [atRoot, atInclusion, atConsistency])
          expect(read.length).toBe(new Set(read).size);
        expect(atRoot.read.length).toBeLessThanOrEqual(3);
        expect(atInclusion.read.length).toBeLessThanOrEqual(6);
        expect(atConsistency.read.length).toBeLessThanOrEqual(6);
      }),
      { numRuns: 150, seed: 4 },
    );
  });
});
