import { describe, expect, it } from "vitest";
import { originAllowed } from "./cors.ts";

describe("originAllowed", () => {
  it("takes an app's own list and nothing beside it", () => {
    const app = { allowedOrigins: ["https://shop.example"] };
    expect(originAllowed("https://shop.example", app, "localhost")).toBe(true);
    expect(originAllowed("https://other.example", app, "localhost")).toBe(false);
    expect(originAllowed("http://localhost:5173", app, "localhost")).toBe(false);
    expect(originAllowed("https://any.example", { allowedOrigins: ["*"] }, "localhost")).toBe(true);
  });

  it("without a list takes local pages and pages on the base domain", () => {
    const app = { allowedOrigins: [] };
    for (const origin of ["http://localhost:5173", "http://127.0.0.1:3000", "http://notes.localhost:4000"]) {
      expect(originAllowed(origin, app, "localhost")).toBe(true);
    }
    expect(originAllowed("https://notes.apps.example", app, "apps.example")).toBe(true);
    for (const origin of [
      "https://evil.example",
      "null",
      "https://localhost.evil.example",
      "https://evilapps.example",
    ]) {
      expect(originAllowed(origin, app, "apps.example")).toBe(false);
    }
  });
});
