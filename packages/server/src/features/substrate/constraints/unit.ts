const OUTER_SPACE = /^[ \t\r\n]+|[ \t\r\n]+$/g;

/**
 * A unit without outer spaces and in lower case, ASCII alone: what Postgres does with the units of what was executed,
 * whatever its locale, so that one spelling can't pass here and be left out there. Pure.
 */
export const plainUnit = (unit: string): string =>
  unit.replace(OUTER_SPACE, "").replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
