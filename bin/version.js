/** Says whether a version of Node is older than another. */
export function older(version, than) {
  const have = version.split(".").map(Number);
  const need = than.split(".").map(Number);
  const at = need.findIndex((part, index) => have[index] !== part);
  return at >= 0 && !(have[at] > need[at]);
}
