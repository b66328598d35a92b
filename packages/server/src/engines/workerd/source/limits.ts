/** Bounds of compiling one file of user code. */
export const limits = {
  /** One TypeScript file, as UTF-8. */
  sourceBytes: 5 * 1024 * 1024,
  /** How long one file may take, from the compiler's being ready to its answer. */
  compileMs: 10_000,
  /** How long a compiler process may take to come up. */
  startMs: 10_000,
  /** Resident memory the compiler process may take; 5 MB of ordinary code need about 750 MB. */
  memoryBytes: 1_200 * 1024 * 1024,
  /** How often that is looked at while a file is being compiled. */
  memoryProbeMs: 100,
  /** A compiler process nobody needs is ended after this long: it holds about 90 MB. */
  idleMs: 30_000,
  /** A compiler process is replaced when one file left it larger than this. */
  recycleBytes: 300 * 1024 * 1024,
  /** Files waiting for the compiler. */
  queued: 64,
  /** The file name as errors and stacks show it. */
  fileNameChars: 200,
  classNameChars: 100,
  /** A kebab-case name of a class or function. */
  nameChars: 63,
  /** A stack handed to `mapStack`; the rest is passed on unmapped. */
  stackLines: 200,
  stackLineChars: 2_000,
  /** Source maps kept parsed. */
  parsedMaps: 8,
} as const;
