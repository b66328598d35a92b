import { limits } from "./limits.ts";

/** The form in which a password is hashed: the same characters typed on another keyboard give the same password. */
export const normalizePassword = (password: string): string => password.normalize("NFKC");

/** What the password lacks, in words; empty when it will do. Pure. */
export function passwordProblems(password: string): string[] {
  const text = normalizePassword(password);
  const length = [...text].length;
  const rules: [holds: boolean, problem: string][] = [
    [length >= limits.passwordLeastChars, `at least ${limits.passwordLeastChars} characters`],
    [length <= limits.passwordChars, `at most ${limits.passwordChars} characters`],
    [/\p{Lu}/u.test(text), "an upper-case letter"],
    [/\p{Ll}/u.test(text), "a lower-case letter"],
    [/\p{Nd}/u.test(text), "a digit"],
    [/[^\p{L}\p{N}\s]/u.test(text), "a special character"],
  ];
  return rules.filter(([holds]) => !holds).map(([, problem]) => problem);
}
