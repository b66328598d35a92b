/** What an export's first line says of it. */
export interface ExportHeader {
  readonly organizationId: string;
  readonly exportedAt: string;
  /** Of the server. */
  readonly version: string;
}

/** Of the format, so that a reader knows what it reads. */
const FORMAT = { format: "ambit.substrate", format_version: 1 };

/**
 * The lines of an export, each with its line break: the header, the rows, and an end that counts them by type. A file
 * without the end was cut. Pure.
 */
export async function* exportLines(
  { organizationId, exportedAt, version }: ExportHeader,
  rows: AsyncIterable<{ readonly type: string; readonly line: string }>,
): AsyncGenerator<string> {
  yield line({
    ...{ type: "header", ...FORMAT, organization_id: organizationId, exported_at: exportedAt },
    server_version: version,
  });
  const counts: Record<string, number> = {};
  for await (const row of rows) {
    counts[row.type] = (counts[row.type] ?? 0) + 1;
    yield `${row.line}\n`;
  }
  yield line({ type: "end", counts });
}

const line = (fields: object) => `${JSON.stringify(fields)}\n`;

/** The same text in pieces of about `chars` characters: sent one by one, short lines would cost more than they hold. */
export async function* inChunks(lines: AsyncIterable<string>, chars: number): AsyncGenerator<string> {
  let chunk: string[] = [];
  let size = 0;
  for await (const each of lines) {
    chunk.push(each);
    size += each.length;
    if (size < chars) continue;
    yield chunk.join("");
    [chunk, size] = [[], 0];
  }
  if (chunk.length > 0) yield chunk.join("");
}
