/** Why a policy can't be compiled, in words; SQL judges it. */
export class Refusal extends Error {
  override name = "Refusal";
}
