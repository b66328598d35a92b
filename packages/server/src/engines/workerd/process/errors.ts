/** Another process, of this Ambit or another, holds the program's storage. Nothing was started. */
export class StorageLockedError extends Error {
  readonly lockPath: string;

  constructor(lockPath: string) {
    super(
      `The storage is in use by another process (lock ${lockPath}). End the other Ambit on this data directory.`,
    );
    this.name = "StorageLockedError";
    this.lockPath = lockPath;
  }
}
