/** Nothing is imported, nothing is extended. */
export class PlainClass {
  state: any;
  env: any;
  born: string;

  constructor(state: any, env: any) {
    this.state = state;
    this.env = env;
    this.born = state.id.name;
  }

  async fetch(_request: Request) {
    const visits = ((await this.state.storage.get("visits")) || 0) + 1;
    await this.state.storage.put("visits", visits);
    return new Response(JSON.stringify({ visits, born: this.born, greeting: this.env.GREETING }), {
      headers: { "content-type": "application/json" },
    });
  }
}
