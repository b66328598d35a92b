/** Numbers the values of a statement in the order in which its text names them. */
export class Parameters {
  readonly values: unknown[] = [];

  /** Takes a value in; returns what stands for it in the text. The text must not depend on the value. */
  add(
    value: unknown,
    type: "uuid" | "text" | "text[]" | "timestamptz" | "boolean" | "int" | "float8" | "tsquery" | "tsquery[]",
  ): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
}
