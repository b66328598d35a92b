import { isDeepStrictEqual } from "node:util";
import type { ColumnType } from "./column-type.ts";
import { plainDefault, withoutOuterParens } from "./expression-text.ts";
import type { ForeignKeyModel, IndexModel } from "./model.ts";

/** When two pieces of a schema are the same as far as their texts tell. Pure. */

export const sameText = (one: string | null, other: string | null): boolean =>
  one === other || (one !== null && other !== null && withoutOuterParens(one) === withoutOuterParens(other));

export const sameDefault = (one: string | null, other: string | null, type: ColumnType): boolean =>
  plainDefault(one, type) === plainDefault(other, type);

const plainIndex = (index: IndexModel): IndexModel => ({
  ...index,
  columns: [],
  where: index.where === null ? null : withoutOuterParens(index.where),
  keys: index.keys.map((key) => ({
    ...key,
    expression: key.expression === null ? null : withoutOuterParens(key.expression),
  })),
});

export const sameIndex = (one: IndexModel, other: IndexModel): boolean =>
  isDeepStrictEqual(plainIndex(one), plainIndex(other));

export const sameForeignKey = (one: ForeignKeyModel, other: ForeignKeyModel): boolean =>
  isDeepStrictEqual({ ...one, name: "" }, { ...other, name: "" });

export const sameList = (one: readonly string[], other: readonly string[]): boolean =>
  isDeepStrictEqual([...one], [...other]);
