import { describe, expect, test } from "vitest";
import { bindingOf, isKebabName, kebabOf } from "./names.ts";

test.each([
  ["ChatRoom", "chat-room"],
  ["Room", "room"],
  ["HTTPCache", "http-cache"],
  ["HTTPCache2", "http-cache2"],
  ["Room2Go", "room2-go"],
  ["chat_room", "chat-room"],
  ["_Room", "room"],
  ["$", ""],
  ["_2", ""],
  ["Größe", "gr-e"],
])("kebabOf(%s) is %s", (className, name) => {
  expect(kebabOf(className)).toBe(name);
});

test("bindings are upper case with underscores", () => {
  expect(bindingOf("chat-room")).toBe("CHAT_ROOM");
  expect(bindingOf("room2")).toBe("ROOM2");
});

describe("isKebabName", () => {
  test.each(["a", "room", "chat-room", "a1-2b", "a".repeat(63)])("%s", (name) => {
    expect(isKebabName(name)).toBe(true);
  });
  test.each(["", "A", "1a", "-a", "a-", "a--b", "a_b", "a.b", "a/b", "ä", "a\n", " a", "a".repeat(64)])(
    "not %j",
    (name) => {
      expect(isKebabName(name)).toBe(false);
    },
  );
});
