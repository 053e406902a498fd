// JSON that comes out as it went in. JSON.parse rounds 9007199254740993, writes 1.10 as 1.1 and moves the key "10" before
// "b"; JSON.rawJSON would help with the first two, not with the third, and not in every browser in use.

const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\]]/g;

/** Objects whose keys JavaScript would put in another order: the keys as they came. */
const orders = new WeakMap();

/** A number that JavaScript would write in another way: its digits as they came. */
class Digits {
  constructor(text) {
    this.text = text;
  }

  valueOf() {
    return Number(this.text);
  }

  toString() {
    return this.text;
  }
}

/**
 * The value of a JSON text; write() gives its numbers and the order of its keys back. Raises SyntaxError.
 * `within`: fractions are kept as written below these names only, and are plain numbers elsewhere.
 */
export function parse(text, within = null) {
  const plain = JSON.parse(text);
  if (JSON.stringify(plain) === text) return plain; // nothing was lost
  const tokens = text.match(TOKENS);
  let at = 0;
  const value = (exact) => {
    const token = tokens[at++];
    if (token === "{") return object(exact);
    if (token === "[") {
      const items = [];
      while (tokens[at] !== "]") items.push(value(exact));
      at += 1;
      return items;
    }
    const scalar = JSON.parse(token);
    return typeof scalar === "number" && String(scalar) !== token && (exact || /^-?\d+$/.test(token)) ? new Digits(token) : scalar;
  };
  const object = (exact) => {
    const made = {};
    const keys = new Set();
    while (tokens[at] !== "}") {
      const key = JSON.parse(tokens[at++]);
      keys.add(key);
      Object.defineProperty(made, key, { value: value(exact || within.has(key)), enumerable: true, configurable: true, writable: true }); // also __proto__
    }
    at += 1;
    const order = [...keys];
    if (Object.keys(made).some((key, index) => key !== order[index])) orders.set(made, order);
    return made;
  };
  return value(within === null);
}

/** The JSON text of a value, laid out when `indent` is given; what is undefined is left out. */
export function write(value, indent = 0, margin = "") {
  if (value instanceof Digits) return value.text;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  const inner = margin + " ".repeat(indent);
  const lines = Array.isArray(value)
    ? value.map((one) => write(one, indent, inner))
    : (orders.get(value) ?? Object.keys(value)).filter((key) => value[key] !== undefined).map((key) => `${JSON.stringify(key)}:${indent ? " " : ""}${write(value[key], indent, inner)}`);
  const [open, end] = Array.isArray(value) ? "[]" : "{}";
  if (!lines.length) return open + end;
  return indent ? `${open}\n${inner}${lines.join(`,\n${inner}`)}\n${margin}${end}` : open + lines.join(",") + end;
}
