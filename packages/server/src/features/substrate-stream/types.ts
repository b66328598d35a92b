import type { AmbitError } from "../../kernel/errors.ts";
import type { StreamViewer } from "./hub.ts";

/** On whose behalf a stream is open. */
export type StreamHolder =
  | { readonly kind: "key"; readonly keyId: string }
  | { readonly kind: "app"; readonly appId: string };

/** What a holder may see at this moment, or why nothing. */
export type Standing = { readonly viewer: StreamViewer } | { readonly refusal: AmbitError };
