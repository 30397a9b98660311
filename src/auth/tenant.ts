/** Whether a text can name a tenant: 1 to 63 letters, digits, dots, underscores and hyphens, the first a letter or digit. */
export function isTenant(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text);
}
