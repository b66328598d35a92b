import { limits } from "./limits.ts";
import type { Signal } from "./types.ts";
import { listOf, type Parameter, textOf, type Walked } from "./walk.ts";
import { wordsOf } from "./words.ts";

/** A parameter that takes something that is run. */
export interface CodeInput {
  readonly parameter: Parameter;
  readonly language: "sql" | "shell" | "code";
  readonly why: string;
}

/** Names of parameters (in lower case, without separators) that hold what is run. */
const LANGUAGES: readonly (readonly [CodeInput["language"], RegExp])[] = [
  ["sql", /^(?:sql|rawsql|sqlquery|sqltext|sqlstatement|querysql|sqlqueries)$/],
  [
    "shell",
    /^(?:command|commands|cmd|commandline|shell|shellcommand|bash|bashcommand|sh|powershell|shellscript|cliargs)$/,
  ],
  [
    "code",
    /^(?:code|script|scripts|sourcecode|javascript|js|jscode|jsscript|javascriptcode|typescript|python|pythoncode|pyscript|program|lambda|func|function|functionbody|evalcode|expression|cypher|cypherquery|graphql|graphqlquery|mongoquery|aggregation|pipeline|jq|lua|luascript|groovy|sourcecodetext|handlersource|usercode)$/,
  ],
];
/** Names that hold code as often as something else; their description or the tool's name has to say so. */
const DOUBTFUL =
  /^(?:query|queries|statement|statements|function|expression|code|program|source|filter|input|text)$/;
/** Of those, the ones for which the tool itself may say it. */
const TOLD_BY_TOOL = /^(?:query|queries|statement|statements|function|expression|code|program)$/;
const RUNS = /\b(?:run|runs|exec|execute|eval|evaluate|interpret)\b/;
const SAYS_SQL = /\bsql\b|\bselect statement|\bpostgres(?:ql)?\b|\bmysql\b|\bsqlite\b/i;
const SAYS_CODE =
  /\b(?:java|type)script\b|\bpython\b|\bsource code\b|\bcode to (?:run|execute|evaluate|deploy)\b|\bto (?:be )?(?:evaluated?|executed?)\b|\bcypher\b|\bgraphql\b|\blambda\b|\bshell\b|\bbash\b|\bfunction to\b|=>/i;
/** Codes that stand for something: `country_code`, and `code` when the description says which. */
const SAYS_A_CODE =
  /\b(?:country|currency|zip|postal|post|language|lang|locale|area|airport|error|status|exit|response|verification|confirmation|auth(?:orization|entication)?|access|invite|invitation|coupon|promo(?:tion)?|discount|one-time|otp|totp|mfa|2fa|tax|iso|sku|bar|qr|product|region|state|color|colour|iata|icao)[ -]?codes?\b|\bcode (?:sent|from the|received|of the (?:country|currency))/i;
const HTML_NAME =
  /^(?:html|htmlbody|bodyhtml|rawhtml|htmlcontent|contenthtml|template|templates|templatebody|htmltemplate|markup|svg|xml|richtext)$/;
const URL_NAME =
  /^(?:url|urls|uri|uris|href|endpoint|endpoints|webhook|callback|baseurl|link|links|website|domain|hostname|host|address|repourl|targeturl)$/;
const URL_ENDING = /(?:[_-](?:url|uri|href|endpoint|webhook)|[a-z](?:Url|Uri|Href|Endpoint|URL|URI))s?$/;

const plain = (name: string): string => name.toLowerCase().replace(/[^\p{L}\p{Nd}]/gu, "");

/** Whether a value of the schema can be any text: a string, not one of a list. */
function isFreeText({ schema }: Parameter): boolean {
  if ("enum" in schema || "const" in schema) return false;
  const { type } = schema;
  if (type === undefined)
    return !("properties" in schema) && !("items" in schema) && !("oneOf" in schema) && !("anyOf" in schema);
  return [type, ...listOf(type)].includes("string");
}

/** Whether the elements of a list can be any text: `commands: string[]`. */
function isListOfText({ schema }: Parameter): boolean {
  const { items } = schema as { items?: { type?: unknown; enum?: unknown } };
  return schema.type === "array" && items?.type === "string" && items.enum === undefined;
}

/** The parameters that take code, a command or a query that is run as it is. Pure. */
export function codeInputs(walked: Walked, tool: { name: string; description: string }): CodeInput[] {
  return walked.parameters.flatMap((parameter) => {
    if (!isFreeText(parameter) && !isListOfText(parameter)) return [];
    const language = languageOf(parameter, tool);
    if (language === undefined) return [];
    const what = { sql: "SQL", shell: "a command", code: "code" }[language];
    return [{ parameter, language, why: `"${quoted(parameter.name)}" takes ${what} that is run as it is` }];
  });
}

function languageOf(
  parameter: Parameter,
  tool: { name: string; description: string },
): CodeInput["language"] | undefined {
  const name = plain(parameter.name);
  const told = `${textOf(parameter.schema.title)} ${textOf(parameter.schema.description)}`;
  if (SAYS_A_CODE.test(`${parameter.name.replaceAll("_", " ")} ${told}`)) return undefined;
  if (!DOUBTFUL.test(name)) return LANGUAGES.find(([, names]) => names.test(name))?.[0];
  const byTool = TOLD_BY_TOOL.test(name);
  const says = byTool ? `${told} ${wordsOf(tool.name).join(" ")} ${tool.description.slice(0, 300)}` : told;
  if (SAYS_SQL.test(says)) return "sql";
  if (SAYS_CODE.test(says)) return "code";
  return byTool && RUNS.test(wordsOf(tool.name).join(" ")) ? "code" : undefined;
}

/** What of a tool's input deserves a look. Pure. */
export function inputSignals(walked: Walked, code: readonly CodeInput[]): Signal[] {
  const signals: Signal[] = code.map(({ parameter, why }) => ({
    ...{ kind: "code_input", pointer: parameter.pointer, why },
  }));
  for (const parameter of walked.parameters) {
    const { pointer, schema } = parameter;
    if (!isFreeText(parameter) && !isListOfText(parameter)) continue;
    const name = quoted(parameter.name);
    if (takesHtml(parameter))
      signals.push({ kind: "html_input", pointer, why: `"${name}" takes HTML or a template` });
    const isUrl = URL_NAME.test(plain(parameter.name)) || URL_ENDING.test(parameter.name);
    const format = ["uri", "url", "iri", "uri-reference", "hostname"].includes(textOf(schema.format));
    if (isUrl || format || /^\W*(?:the |an? )?(?:full |absolute )?ur[li]\b/i.test(textOf(schema.description)))
      signals.push({ kind: "url_input", pointer, why: `"${name}" takes an address of the caller's choice` });
  }
  const many = walked.parameters.length;
  if (many >= limits.manyParameters)
    signals.push({
      kind: "many_parameters",
      pointer: "/inputSchema",
      why: `${many} parameters, nested ones included`,
    });
  return signals;
}

const takesHtml = ({ name, schema }: Parameter): boolean =>
  HTML_NAME.test(plain(name)) ||
  /html/i.test(textOf(schema.contentMediaType)) ||
  /\b(?:raw |as )html\b|\bhtml (?:content|body|markup|template|source|string)\b/i.test(
    textOf(schema.description),
  );

export const quoted = (text: string): string => text.slice(0, limits.quotedChars);
