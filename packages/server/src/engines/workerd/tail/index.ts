export { readTailBatch } from "./read-batch.ts";
