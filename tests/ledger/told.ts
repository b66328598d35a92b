import { expect } from "vitest";
import type { TamperedStand } from "./tampered-stand.ts";

type Told = Awaited<ReturnType<TamperedStand["verify"]>>;

/** Verifying found nothing wrong. */
export const expectGood = (told: Told): void => {
  expect(told.lines[0]).toMatch(/^ok: /);
  expect(told.code).toBe(0);
};

/** It found exactly this, said so, and ended with 1. */
export const expectFound = ({ lines, code }: Told, ...problems: (string | RegExp)[]): void => {
  expect(lines.slice(0, -1)).toEqual(
    problems.map((problem) => (typeof problem === "string" ? problem : expect.stringMatching(problem))),
  );
  expect(lines.at(-1)).toMatch(/^NOT ok: /);
  expect(code).toBe(1);
};

/** What is said of entries that were signed together, one of which is another now. */
export const changedIn = ([from, to]: readonly [number, number]): string =>
  `changed: Entries ${from} to ${to} are not those that were signed: at least one of them was changed or has changed places.`;
