import { expect, it } from "vitest";
import { checkCollision, checkEnvKey, checkName, instanceNameProblem, readAccessMode } from "./names.ts";

const reasonOf = (work: () => void): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as { details: { reason: string } }).details.reason;
  }
};

it("takes kebab-case names that leave room for what the server sets", () => {
  for (const name of ["room", "chat-room", "a1-2b", "tickets"])
    expect(reasonOf(() => checkName(name))).toBeUndefined();
  for (const name of [
    "",
    "Room",
    "1room",
    "a--b",
    "-a",
    "a-",
    "a_b",
    "a/b",
    "é",
    "env",
    "butterbase-app-id",
    "x".repeat(200),
  ])
    expect(
      reasonOf(() => checkName(name)),
      name,
    ).toBe("INVALID_NAME");
});

it("takes env keys of letters, digits and underscores that are not the server's", () => {
  for (const key of ["A", "a_b", "_x1"]) expect(reasonOf(() => checkEnvKey(key))).toBeUndefined();
  for (const key of ["", "1a", "a-b", "a b", "é", "a\n"])
    expect(
      reasonOf(() => checkEnvKey(key)),
      key,
    ).toBe("INVALID_ENV_KEY");
  expect(reasonOf(() => checkEnvKey("BUTTERBASE_APP_ID"))).toBe("RESERVED_ENV_KEY");
  expect(reasonOf(() => checkCollision(["CHAT_ROOM"], ["chat-room"]))).toBe("ENV_BINDING_COLLISION");
  expect(reasonOf(() => checkCollision(["chat_room", "ROOM"], ["chat-room"]))).toBeUndefined();
});

it("knows three access modes", () => {
  expect(readAccessMode("service_key")).toBe("service_key");
  expect(reasonOf(() => readAccessMode("private"))).toBe("INVALID_ACCESS_MODE");
});

it("names instances with any text that can be kept", () => {
  for (const name of ["a", "Räume/1", "x".repeat(1_024)]) expect(instanceNameProblem(name)).toBeNull();
  for (const name of ["", "a\0b", "\ud800", "é".repeat(513)])
    expect(instanceNameProblem(name)).not.toBeNull();
});
