/** A function that stands where a model would be called: it counts the words of the prompt. */
export async function handler(
  request: Request,
  ctx: { log: { info(message: string): void } },
): Promise<Response> {
  const { prompt } = (await request.json()) as { prompt: string };
  const words = prompt.split(/\s+/).filter((word) => word !== "").length;
  ctx.log.info(`thought about ${words} words`);
  return new Response(`You gave me ${words} words to think about.`);
}
