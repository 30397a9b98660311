// Stack traces of the bundle name the sources. Node's own way (--enable-source-maps) reads every map while it loads the file, and keeps it:
// 160 ms and 40 MiB. Here a map is read when the first stack that goes through its file is looked at.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const COMMA = 44;
const SEMICOLON = 59;
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALUES = Uint8Array.from({ length: 128 }, (_, code) =>
  Math.max(0, DIGITS.indexOf(String.fromCharCode(code))),
);

/** Has stacks of errors name the sources of the files in `dir`. Paths are from the top of the tree, `../..` of that folder. */
export function traceSources(dir) {
  Error.prepareStackTrace = tracerOf(dir);
}

/** What makes the stack of an error from its call sites. */
export function tracerOf(dir) {
  const base = `${pathToFileURL(dir).href}/`;
  const frame = new RegExp(`${RegExp.escape(base)}([^/\\s():]+\\.js):(\\d+):(\\d+)`, "g");
  const maps = new Map();
  return (error, sites) => {
    const stack = [headOf(error), ...sites].join("\n    at ");
    return stack.replace(frame, (place, file, line, column) => {
      const source = mapOf(maps, join(dir, file))?.find(Number(line), Number(column) - 1);
      return source ?? place;
    });
  };
}

function headOf(error) {
  try {
    return String(error);
  } catch {
    return "Error"; // its own toString throws
  }
}

/** The map of a file; it is let go when memory is short. Undefined if there is none. */
function mapOf(maps, file) {
  const kept = maps.get(file)?.deref();
  if (kept !== undefined) return kept;
  try {
    const map = new Places(JSON.parse(readFileSync(`${file}.map`, "utf8")));
    maps.set(file, new WeakRef(map));
    return map;
  } catch {
    return undefined; // the stack names the bundle, then
  }
}

/** Places in the sources by places in a file, from its source map (ECMA-426). */
class Places {
  #sources;
  /** First segment of each line. */
  #lines = [0];
  /** Four numbers a segment: the column in the file, then the source, its line and its column; the source is -1 if there is none. */
  #segments;

  constructor({ mappings, sources }) {
    this.#sources = sources;
    this.#segments = new Int32Array(4 * (mappings.match(/[,;]/g)?.length ?? 0) + 4);
    this.#read(mappings);
  }

  /** `PATH:LINE:COLUMN` of a line, from 1, and a column, from 0. */
  find(line, column) {
    let low = this.#lines[line - 1] ?? 0;
    let high = (this.#lines[line] ?? 0) - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#segments[4 * middle] <= column) low = middle;
      else high = middle - 1;
    }
    const [from, source, sourceLine, sourceColumn] = this.#segments.subarray(4 * low, 4 * low + 4);
    if (high < low || from > column || source < 0) return undefined;
    const path = this.#sources[source]?.replace(/^(?:\.\.\/)+/, "");
    return path && `${path}:${sourceLine + 1}:${sourceColumn + 1}`;
  }

  /** Segments are divided by commas, lines by semicolons; a field is a number in base 64, of variable length, that counts from the last one. */
  #read(mappings) {
    const last = [0, 0, 0, 0, 0];
    let count = 0;
    let fields = 0;
    let value = 0;
    let shift = 0;
    for (let at = 0; at <= mappings.length; at++) {
      const code = at < mappings.length ? mappings.charCodeAt(at) : SEMICOLON;
      if (code === COMMA || code === SEMICOLON) {
        if (fields > 0) this.#keep(count++, last, fields);
        fields = 0;
        if (code === COMMA) continue;
        this.#lines.push(count);
        last[0] = 0;
        continue;
      }
      const digit = VALUES[code & 127];
      value |= (digit & 31) << shift;
      shift += 5;
      if (digit & 32) continue;
      last[fields++] += value & 1 ? -(value >>> 1) : value >>> 1;
      value = shift = 0;
    }
  }

  #keep(index, last, fields) {
    for (let field = 0; field < 4; field++) this.#segments[4 * index + field] = last[field];
    if (fields < 4) this.#segments[4 * index + 1] = -1;
  }
}
