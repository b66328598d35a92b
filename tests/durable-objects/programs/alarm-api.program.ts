import { DurableObject } from "cloudflare:workers";

/** One alarm at a time: set, moved, asked for, taken back. */
export class AlarmApi extends DurableObject {
  private fired = 0;

  async fetch(request: Request): Promise<Response> {
    const { storage } = this.ctx;
    const verb = new URL(request.url).pathname.split("/").at(-1);
    if (verb === "script") {
      const steps: unknown[] = [await storage.getAlarm()];
      const far = Date.now() + 3_600_000;
      await storage.setAlarm(far);
      steps.push((await storage.getAlarm()) === far);
      await storage.setAlarm(new Date(far + 1_000));
      steps.push((await storage.getAlarm()) === far + 1_000);
      await storage.deleteAlarm();
      steps.push(await storage.getAlarm());
      await storage.setAlarm(far);
      await storage.deleteAll();
      steps.push(await storage.getAlarm());
      await storage.deleteAlarm();
      try {
        await storage.setAlarm(Number.NaN);
        steps.push("accepted");
      } catch (error) {
        steps.push((error as Error).name);
      }
      return Response.json(steps);
    }
    if (verb === "past") await storage.setAlarm(Date.now() - 60_000);
    return Response.json({ fired: this.fired, left: await storage.getAlarm() });
  }

  async alarm(): Promise<void> {
    this.fired += 1;
  }
}
