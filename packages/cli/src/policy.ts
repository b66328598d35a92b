import { defineCommand } from "citty";
import { simulate } from "./policy-simulate.ts";
import { suggest } from "./policy-suggest.ts";
import { test } from "./policy-test.ts";
import { validate } from "./policy-validate.ts";

export const policy = defineCommand({
  meta: { name: "policy", description: "Write, check and try out policies of the gateway" },
  subCommands: { validate, test, simulate, suggest },
});
