// Addresses behind the #, as pages make and keep them. Which page an address means is the router's concern.

export const link = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;

/** The path behind the # and its query. */
export function address() {
  const [path, search = ""] = (location.hash.replace(/^#/, "") || "/").split("?");
  return { path, query: new URLSearchParams(search) };
}

/** The token, or the portal link, that an address brought behind the #, or null. It does not stay there: `hash` takes
 *  its place. */
export function secretInAddress(name, hash = "#/") {
  const secret = new URLSearchParams(location.hash.replace(/^#/, "")).get(name);
  if (secret !== null) history.replaceState(null, "", `${location.pathname}${location.search}${hash}`);
  return secret;
}

/** An address with what was chosen in it, empty values left out. */
export function withQuery(path, values) {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value));
  return `#${path}${query.size ? `?${query}` : ""}`;
}

export function go(hash) {
  if (location.hash === hash) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = hash;
}

/** Keep what is chosen on a page in its address, without a step in the history. */
export function remember(values) {
  const { path, query } = address();
  for (const [name, value] of Object.entries(values)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const search = query.toString();
  history.replaceState(history.state, "", `#${path}${search ? `?${search}` : ""}`);
}
