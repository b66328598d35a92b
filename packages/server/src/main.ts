import { useCompileCache } from "./compile-cache.ts";

// Only what is imported from here on comes out of the cache.
useCompileCache(process.env);
await import("./serve.ts");
