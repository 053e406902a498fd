// A request as a command that can be pasted into a shell.

// Set by curl itself, or of the connection.
const LEFT_OUT = new Set(["host", "content-length", "connection", "accept-encoding", "transfer-encoding"]);

// Credentials and signatures come back masked; sent like that they would only mislead.
const MASKED = /\*{3,}|\.\.\.$/;

/** Within single quotes a shell reads nothing but the closing quote. */
export const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

export function asCurl(url, headers, body) {
  const lines = Object.entries(headers ?? {}).filter(([name, value]) => !LEFT_OUT.has(name.toLowerCase()) && !MASKED.test(value)).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  return ["curl -X POST", ...lines, `--data-binary ${quoted(body)}`, quoted(url)].join(" \\\n  ");
}
