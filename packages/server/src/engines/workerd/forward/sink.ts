import type { AmbitError } from "../../../kernel/errors.ts";
import type { AnswerHead } from "./answer-head.ts";

/** Where an answer goes. */
export interface Sink {
  onHead(head: AnswerHead, bodyless: boolean): void;
  /** Takes a chunk that is only valid during the call; false asks to pause until `resume` is called. */
  onBody(chunk: Buffer): boolean;
  /** What was held back for the next chunk leaves now. */
  flush(): void;
  onEnd(): void;
  /** Nothing was sent yet: the error is the answer. */
  refuse(error: AmbitError): void;
  /** The answer has begun and can't be completed: the receiver must notice. */
  cut(): void;
}
