import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Frontier } from "./frontier.ts";
import { emptyRoot, leafHash, nodeHash } from "./hashing.ts";
import { verifyConsistency, verifyInclusion } from "./proof.ts";
import { bytesOf } from "./testing/log.ts";
import * as naive from "./testing/naive.ts";
import { consistencyProof, inclusionProof, rootOf, subtreesOf } from "./tree.ts";
import type { Hash } from "./types.ts";

const LEAVES = 300;
const leaves = Array.from({ length: LEAVES }, (_, index) => naive.leaf(bytesOf(`leaf ${index}`)));
const nodes = new Map<string, Hash>();
const nodeAt = (level: number, index: number): Hash => {
  const name = `${level}/${index}`;
  const width = 2 ** level;
  if (!nodes.has(name)) nodes.set(name, naive.root(leaves.slice(index * width, (index + 1) * width)));
  return nodes.get(name)!;
};
const roots = Array.from({ length: LEAVES + 1 }, (_, size) => naive.root(leaves.slice(0, size)));
const hex = (hash: Hash) => hash.toString("hex");

describe("the tree", () => {
  it("has the roots of Certificate Transparency's reference leaves", () => {
    const data = [
      "",
      "00",
      "10",
      "2021",
      "3031",
      "40414243",
      "5051525354555657",
      "606162636465666768696a6b6c6d6e6f",
    ];
    const known = [
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    const tree = new Frontier();
    const grown = [hex(tree.root())];
    for (const text of data) {
      tree.append(leafHash(Buffer.from(text, "hex")));
      grown.push(hex(tree.root()));
    }
    expect(grown).toEqual(known);
    expect(hex(emptyRoot())).toBe(known[0]);
  });

  it("hashes a text as its UTF-8 bytes", () => {
    for (const text of ["", "a", "„ü“ 😀", "\u0000"])
      expect(leafHash(text).equals(naive.leaf(Buffer.from(text)))).toBe(true);
  });

  it("has the naive root at every size, grown or put together from subtrees", async () => {
    const tree = new Frontier();
    for (let size = 0; size <= LEAVES; size++) {
      expect(tree.root().equals(roots[size]!)).toBe(true);
      expect((await rootOf(size, nodeAt)).equals(roots[size]!)).toBe(true);
      const written = Frontier.fromBytes(tree.toBytes());
      expect([written.size, hex(written.root())]).toEqual([size, hex(roots[size]!)]);
      if (size < LEAVES) tree.append(leaves[size]!);
    }
  });

  it("goes on from a written frontier, and refuses one that is none", () => {
    const tree = new Frontier();
    for (const leaf of leaves.slice(0, 77)) tree.append(leaf);
    const later = Frontier.of(
      77,
      subtreesOf(0, 77).map(({ level, index }) => nodeAt(level, index)),
    );
    for (const leaf of leaves.slice(77)) later.append(leaf);
    expect(hex(later.root())).toBe(hex(roots[LEAVES]!));
    const bytes = tree.toBytes();
    for (const wrong of [bytes.subarray(0, 5), bytes.subarray(0, -1), bytes.subarray(0, -32)])
      expect(() => Frontier.fromBytes(wrong)).toThrow(expect.objectContaining({ code: "tree_malformed" }));
  });

  it("tells the subtrees that an append completes", () => {
    const tree = new Frontier();
    const told: string[] = [];
    for (const leaf of leaves)
      tree.append(leaf, (level, index, hash) => {
        expect(hash.equals(nodeAt(level, index))).toBe(true);
        told.push(`${level}/${index}`);
      });
    const all: string[] = [];
    for (let level = 1; 2 ** level <= LEAVES; level++)
      for (let index = 0; (index + 1) * 2 ** level <= LEAVES; index++) all.push(`${level}/${index}`);
    expect(told.sort()).toEqual(all.sort());
  });
});

describe("proofs", () => {
  it("of inclusion are the RFC's for every leaf of every size, and hold", async () => {
    for (let size = 1; size <= LEAVES; size += size < 140 ? 1 : 23) {
      for (let index = 0; index < size; index++) {
        const proof = await inclusionProof(index, size, nodeAt);
        const claim = { index, size, leaf: leaves[index]!, root: roots[size]!, proof };
        if (!verifyInclusion(claim)) throw new Error(`${index} of ${size} does not hold`);
        if (size < 70) expect(proof.map(hex)).toEqual(naive.path(index, leaves.slice(0, size)).map(hex));
      }
    }
  });

  it("of consistency are the RFC's between any two sizes, and hold", async () => {
    for (let to = 0; to <= LEAVES; to += to < 140 ? 1 : 23) {
      for (let from = 0; from <= to; from++) {
        const proof = await consistencyProof(from, to, nodeAt);
        const claim = { from, to, fromRoot: roots[from]!, toRoot: roots[to]!, proof };
        if (!verifyConsistency(claim)) throw new Error(`${from} to ${to} does not hold`);
        if (from > 0 && to < 70)
          expect(proof.map(hex)).toEqual(naive.subproof(from, leaves.slice(0, to)).map(hex));
      }
    }
  });

  it("don't hold with anything changed", async () => {
    const sizes = fc.integer({ min: 1, max: LEAVES });
    const property = fc.asyncProperty(sizes, sizes, fc.nat(), fc.nat(), async (one, other, pick, bit) => {
      const [from, to] = [Math.min(one, other), Math.max(one, other)];
      const index = pick % to;
      const flip = (hashes: readonly Hash[], at: number) =>
        hashes.map((hash, place) => {
          if (place !== at % hashes.length) return hash;
          const copy = Buffer.from(hash);
          copy[bit % 32]! ^= 1 << (bit % 8);
          return copy;
        });
      const inclusion = {
        index,
        size: to,
        leaf: leaves[index]!,
        root: roots[to]!,
        proof: await inclusionProof(index, to, nodeAt),
      };
      const consistency = {
        from,
        to,
        fromRoot: roots[from]!,
        toRoot: roots[to]!,
        proof: await consistencyProof(from, to, nodeAt),
      };
      const [wrong] = flip([leaves[0]!], 0);
      const refused = [
        verifyInclusion({ ...inclusion, leaf: wrong! }),
        verifyInclusion({ ...inclusion, root: wrong! }),
        verifyInclusion({ ...inclusion, proof: [...inclusion.proof, wrong!] }),
        to > 1 && verifyInclusion({ ...inclusion, index: (index + 1) % to }),
        to > 1 && verifyInclusion({ ...inclusion, proof: inclusion.proof.slice(1) }),
        to > 1 && verifyInclusion({ ...inclusion, proof: flip(inclusion.proof, pick) }),
        verifyConsistency({ ...consistency, fromRoot: wrong! }),
        verifyConsistency({ ...consistency, toRoot: wrong! }),
        verifyConsistency({ ...consistency, proof: [...consistency.proof, wrong!] }),
        from < to && verifyConsistency({ ...consistency, proof: consistency.proof.slice(1) }),
        from < to && verifyConsistency({ ...consistency, proof: flip(consistency.proof, pick) }),
        verifyInclusion({ ...inclusion, index: to }),
        verifyInclusion({ ...inclusion, index: -1 }),
        verifyInclusion({ ...inclusion, index: 0.5 }),
        verifyConsistency({ ...consistency, from: to + 1 }),
      ];
      expect(refused).not.toContain(true);
    });
    await fc.assert(property, { numRuns: 500, seed: 4 });
  });

  it("don't hold when they end before the root of that size", async () => {
    const leaf = nodeAt(1, 1);
    const proof = (await inclusionProof(2, 8, nodeAt)).slice(1);
    expect(verifyInclusion({ index: 1, size: 4, leaf, root: roots[8]!, proof })).toBe(true);
    expect(verifyInclusion({ index: 1, size: 8, leaf, root: roots[8]!, proof })).toBe(false);
    const grown = { fromRoot: roots[4]!, toRoot: roots[8]!, proof: await consistencyProof(4, 8, nodeAt) };
    expect(verifyConsistency({ from: 4, to: 8, ...grown })).toBe(true);
    expect(verifyConsistency({ from: 2, to: 8, ...grown })).toBe(false);
  });

  it("of a tree beyond 32 bits hold", async () => {
    // All leaves alike make every subtree of a level alike, so that a tree of any size can be told.
    const alike = [leaves[0]!];
    for (let level = 1; level < 54; level++) alike.push(nodeHash(alike.at(-1)!, alike.at(-1)!));
    const node = (level: number) => alike[level]!;
    const big = fc.bigInt({ min: 2n ** 31n, max: 2n ** 52n }).map(Number);
    await fc.assert(
      fc.asyncProperty(big, big, async (one, other) => {
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        const [fromRoot, toRoot] = await Promise.all([rootOf(from, node), rootOf(to, node)]);
        const proof = await consistencyProof(from, to, node);
        expect(verifyConsistency({ from, to, fromRoot, toRoot, proof })).toBe(true);
        const path = await inclusionProof(from - 1, to, node);
        const claim = { index: from - 1, size: to, leaf: alike[0]!, root: toRoot, proof: path };
        expect(verifyInclusion(claim)).toBe(true);
        expect(path.length).toBeLessThanOrEqual(53);
      }),
      { numRuns: 200, seed: 4 },
    );
  });

  it("are not made for what is not there", async () => {
    for (const promise of [
      () => inclusionProof(3, 3, nodeAt),
      () => inclusionProof(-1, 3, nodeAt),
      () => consistencyProof(4, 3, nodeAt),
      () => consistencyProof(0, 1.5, nodeAt),
    ])
      await expect(promise()).rejects.toThrow(expect.objectContaining({ code: "tree_malformed" }));
  });
});
