import { constants, type Dirent, type Stats } from "node:fs";
import { chmod, copyFile, link, lstat, mkdir, readdir, readFile, readlink, symlink } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";

/** Needed to compile against the libraries, not to run the server. */
const leftOut = /\.a$|^pkgconfig$|^pgxs$/;

/** What could not be done once is not tried for every file. */
interface CopyState {
  mayLink: boolean;
}

/**
 * Copies the tree of binaries to `target`, readable for every user: by hard links where that is possible, else as
 * copy-on-write clones, else byte by byte. Then makes the symbolic links that pg-symlinks.json lists.
 */
export async function copyTree(source: string, target: string): Promise<void> {
  await copyDirectory(source, target, { mayLink: true });
  for (const [path, pointsAt] of await listedLinks(source)) {
    await symlink(pointsAt, join(target, path)).catch(ignoreExisting);
  }
}

async function copyDirectory(source: string, target: string, state: CopyState): Promise<void> {
  await mkdir(target);
  // The process's umask may be stricter than what PostgreSQL's user needs.
  await chmod(target, 0o755);
  const entries = (await readdir(source, { withFileTypes: true })).filter(
    (entry) => !leftOut.test(entry.name),
  );
  await Promise.all(entries.map((entry) => copyEntry(entry, source, target, state)));
}

async function copyEntry(entry: Dirent, source: string, target: string, state: CopyState): Promise<void> {
  const [from, to] = [join(source, entry.name), join(target, entry.name)];
  if (entry.isDirectory()) await copyDirectory(from, to, state);
  else if (entry.isSymbolicLink()) await symlink(await readlink(from), to);
  else await copyOne(from, to, state);
}

async function copyOne(from: string, to: string, state: CopyState): Promise<void> {
  const stats = await lstat(from);
  if (state.mayLink && isReadableForAll(stats)) {
    try {
      await link(from, to);
      return;
    } catch {
      // Another file system, or a file of another user's: copying remains.
      state.mayLink = false;
    }
  }
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  await chmod(to, isExecutable(stats) ? 0o755 : 0o644);
}

/** Linked files share their mode with the package's, which is not ours to change. */
function isReadableForAll(stats: Stats): boolean {
  return (stats.mode & 0o444) === 0o444 && (!isExecutable(stats) || (stats.mode & 0o111) === 0o111);
}

function isExecutable(stats: Stats): boolean {
  return (stats.mode & 0o100) !== 0;
}

/** Pairs of a link's path and what it points at, from entries like native/lib/libpq.so.5.18 → native/lib/libpq.so.5. */
async function listedLinks(source: string): Promise<[string, string][]> {
  const text = await readFile(join(source, "pg-symlinks.json"), "utf8").catch(() => "[]");
  const entries: { source: string; target: string }[] = JSON.parse(text);
  return entries.map(({ source: file, target: link }) => [
    relative(basename(source), link),
    relative(dirname(link), file),
  ]);
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}
