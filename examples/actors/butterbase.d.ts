/** What Ambit adds to every class: a context for calls inside the app. */
declare const butterbase: {
  ctx(
    request: Request | null,
    env: unknown,
    state: DurableObjectState,
  ): {
    readonly env: Readonly<Record<string, unknown>>;
    readonly user: { readonly id: string } | null;
    readonly request: { readonly caller: string; readonly loopDepth: number };
    readonly state: DurableObjectState;
    invoke(functionName: string, body?: unknown, options?: CallOptions): Promise<Response>;
    invokeDO(className: string, instance: string, body?: unknown, options?: CallOptions): Promise<Response>;
  };
};

interface CallOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
}
