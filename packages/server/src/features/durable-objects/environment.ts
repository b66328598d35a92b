import { type ActorContext, bringUp } from "./context.ts";
import { invalid } from "./errors.ts";
import { explainStart } from "./judge.ts";
import { limits } from "./limits.ts";
import { checkCollision, checkEnvKey } from "./names.ts";
import * as store from "./store.ts";

/** Sets a variable of the app's classes; null removes it. True when there are classes, which have it from now on. */
export async function changeEnv(
  context: ActorContext,
  appId: string,
  key: string,
  value: string | null,
): Promise<{ existed: boolean; redeployed: boolean }> {
  checkEnvKey(key);
  if (value !== null) checkValue(value);
  return context.serial(appId, async () => {
    const { database } = context.platform;
    await context.runtime.claimHome(appId);
    const [rows, env] = await Promise.all([
      store.selectClasses(database, appId),
      store.selectEnv(database, appId),
    ]);
    const existed = env.has(key);
    if (value !== null) {
      checkCollision(
        [key],
        rows.map(({ name }) => name),
      );
      if (!existed && env.size >= limits.envVariables) {
        throw invalid(
          "TOO_MANY_ENV_KEYS",
          `The app's classes have ${limits.envVariables} variables already.`,
          "Remove variables that are not used any more.",
        );
      }
    }
    const serving = rows.some(({ version }) => version !== null);
    const before = env.get(key);
    const same =
      value === null ? !existed : before !== undefined && context.programs.open(appId, key, before) === value;
    if (!same) {
      if (serving) await tryOut(context, appId, key, value);
      if (value === null) await store.deleteEnv(database, appId, key);
      else await store.upsertEnv(database, appId, key, context.programs.seal(appId, key, value));
    }
    if (!serving) return { existed, redeployed: false };
    try {
      await bringUp(context, appId);
    } catch (error) {
      if (!same && before === undefined) await store.deleteEnv(database, appId, key);
      if (!same && before !== undefined) await store.upsertEnv(database, appId, key, before);
      throw await explained(context, appId, error);
    }
    return { existed, redeployed: true };
  });
}

function checkValue(value: string): void {
  if (Buffer.byteLength(value) <= limits.envValueBytes) return;
  throw invalid(
    "ENV_VALUE_TOO_LARGE",
    `The value is larger than ${limits.envValueBytes} bytes.`,
    "Keep large settings in an instance's storage.",
  );
}

/** Classes may read variables at the top level of their files: they must start with the new value too. */
async function tryOut(
  context: ActorContext,
  appId: string,
  key: string,
  value: string | null,
): Promise<void> {
  try {
    await context.runtime.engine.check(await context.programs.candidate(appId, { env: { [key]: value } }));
  } catch (error) {
    throw await explained(context, appId, error);
  }
}

const explained = (context: ActorContext, appId: string, error: unknown) =>
  explainStart(error, async (name) => (await context.programs.sourceMap(appId, name))?.sourceMap ?? null);
