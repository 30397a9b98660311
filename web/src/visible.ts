// Controls but for tab and line feed, and what turns the direction of text around or takes no room: in a name or an error such a
// character only serves to make it look like another one.
const HIDDEN = /(?![\t\n])[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** Text of others for names, arguments and errors, with characters that cannot be seen written as `\u202e`. */
export function visible(text: string): string {
  return text.replace(HIDDEN, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
