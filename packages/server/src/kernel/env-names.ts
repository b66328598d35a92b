/** Names of variables that code may have. */
export const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** Whether only the server sets variables of this name. Pure. */
export const isReservedEnv = (name: string): boolean => /^(BUTTERBASE|AMBIT)_/.test(name);
