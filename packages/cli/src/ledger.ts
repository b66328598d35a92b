import { defineCommand } from "citty";
import { findConnection } from "./connection.ts";
import { allOf, connectionArgs, json } from "./flags.ts";
import { callLedger } from "./ledger-api.ts";
import { exportLedger } from "./ledger-export.ts";
import { verifyLedger } from "./ledger-verify.ts";
import { guarded, print, printJson } from "./output.ts";
import { Problem } from "./problem.ts";

const NOT_AS_SIGNED = 1;
const UNUSABLE = 2;

const verify = defineCommand({
  meta: {
    name: "verify",
    description: "Check an export against the ledger's public key, without a server",
  },
  args: {
    file: { type: "positional", description: "The export; - reads it from standard input", required: false },
    "public-key": { type: "string", description: "The ledger's public key, or a file with it" },
    checkpoint: {
      type: "string",
      description: "A file with a checkpoint kept from earlier; may be given several times",
    },
    json,
  },
  run: ({ args, rawArgs }) =>
    guarded(async () => {
      if (args.file === undefined)
        throw new Problem("Which export? ambit ledger verify <file> --public-key <key>");
      const verdict = await verifyLedger({
        file: args.file,
        publicKey: args["public-key"],
        checkpoints: allOf(rawArgs, "checkpoint", "the name of a file"),
      });
      if (args.json) printJson(verdict.report);
      else for (const line of verdict.lines) print(line);
      if (!verdict.report.ok) process.exitCode = verdict.isExport ? NOT_AS_SIGNED : UNUSABLE;
    }, UNUSABLE),
});

const exportCommand = defineCommand({
  meta: { name: "export", description: "Download the ledger, to be verified anywhere" },
  args: {
    output: { type: "string", alias: "o", description: "File to write; standard output otherwise" },
    ...connectionArgs,
  },
  run: ({ args }) =>
    guarded(async () => {
      const bytes = await exportLedger(findConnection(args, process.env), args.output);
      if (args.output !== undefined) print(`${args.output}: ${bytes} bytes`);
    }),
});

const checkpoint = defineCommand({
  meta: {
    name: "checkpoint",
    description: "Have a checkpoint of the whole ledger signed, to be kept elsewhere",
  },
  args: { ...connectionArgs, json },
  run: ({ args }) =>
    guarded(async () => {
      const answer = await callLedger(findConnection(args, process.env), "POST", "checkpoints", ["note"]);
      if (args.json) printJson(answer);
      else process.stdout.write(answer.note);
    }),
});

const key = defineCommand({
  meta: { name: "key", description: "Print the ledger's public key" },
  args: { ...connectionArgs, json },
  run: ({ args }) =>
    guarded(async () => {
      const answer = await callLedger(findConnection(args, process.env), "GET", "key", ["public_key"]);
      if (args.json) printJson(answer);
      else print(answer.public_key);
    }),
});

export const ledger = defineCommand({
  meta: { name: "ledger", description: "Export and verify the ledger" },
  subCommands: { verify, export: exportCommand, checkpoint, key },
});
