import { afterAll, describe, expect, test } from "vitest";
import { closeCompiler, compileFunction, SourceError } from "./index.ts";

afterAll(closeCompiler);

describe("entry", () => {
  test.each([
    ["export async function handler(req: Request) { return new Response() }", "handler"],
    ["export const handler = async (req: Request) => new Response();", "handler"],
    ["export const handler = x => x;", "handler"],
    ["const f = () => 1;\nexport { f as handler };", "handler"],
    ["function handler() {}\nexport { handler };", "handler"],
    ["export let handler;\nhandler = () => 1;", "handler"],
    ["const wrap = (f: any) => f;\nexport const handler = wrap(() => 1);", "handler"],
    ["export function handler() {}\nexport default () => 1;", "handler"],
    ["export function handler() {}\nexport const helper = 1;\nexport class Other {}", "handler"],
    ["export default function () {}", "default"],
    ["export default async function named() {}", "default"],
    ["export default () => new Response();", "default"],
    ["export default async (req: Request, ctx: any) => { return 1 };", "default"],
    ["const f = async () => 1;\nexport default f;", "default"],
    ["function handler() {}\nexport default handler;", "default"],
    ["const handler = () => 1;\nexport { handler as default };", "default"],
    ["export default { async fetch(req: Request) { return new Response() } };", "default"],
    ["export default { fetch: () => 1 } satisfies object;", "default"],
    ["const app = { ...{} };\nexport default app;", "default"],
    ["const make = () => () => 1;\nexport default make();", "default"],
    ["export type handler = 1;\nexport default () => 1;", "default"],
    ['import { DurableObject } from "cloudflare:workers";\nexport default () => DurableObject;', "default"],
  ])("%s", async (source, entry) => {
    expect((await compileFunction(source, "hello.ts")).entry).toBe(entry);
  });
});

describe("no entry", () => {
  test.each([
    ["", null],
    ["function handler() {}", null],
    ["export const other = () => 1;", null],
    ["export interface handler {}", null],
    ["export const handler = 5;", 1],
    ["\nexport const handler = { fetch() {} };", 2],
    ["export class handler {}", 1],
    ["export function* handler() {}", 1],
    ["export default class {}", 1],
    ["export default { get() {} };", 1],
    ["export default 'hello';", 1],
    ["const a = [];\nexport default a;", 2],
  ])("%s", async (source, line) => {
    const error = await compileFunction(source, "hello.ts").catch((e) => e);
    expect(error).toBeInstanceOf(SourceError);
    expect([error.reason, error.line]).toEqual(["NO_HANDLER", line]);
  });
});
