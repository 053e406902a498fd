// Addresses behind the #, so that one file serves them all and the API's own paths stay free.

import { portal } from "./portal.js";

const ROUTES = [
  ["/", () => import("./pages/overview.js")],
  ["/webhooks", () => import("./pages/webhooks.js")],
  ["/webhooks/new", () => import("./pages/webhook_form.js")],
  ["/webhooks/:webhook", () => import("./pages/webhook.js")],
  ["/webhooks/:webhook/edit", () => import("./pages/webhook_form.js")],
  ["/webhooks/:webhook/deliveries/:delivery", () => import("./pages/delivery.js")],
  ["/events", () => import("./pages/events.js")],
  ["/events/:event", () => import("./pages/event.js")],
  ["/dead-letters", () => import("./pages/dead_letters.js")],
  ...(portal ? [] : [["/service", () => import("./pages/service.js")]]),
];

export const link = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;

/** Where the address bar points: {path, query, load, params}. */
export function place() {
  const [path, search = ""] = (location.hash.replace(/^#/, "") || "/").split("?");
  const query = new URLSearchParams(search);
  const steps = path.split("/").map(decoded);
  for (const [pattern, load] of ROUTES) {
    const wanted = pattern.split("/");
    if (wanted.length !== steps.length) continue;
    const params = {};
    const fits = wanted.every((step, index) => {
      if (!step.startsWith(":")) return step === steps[index];
      params[step.slice(1)] = steps[index];
      return steps[index] !== "";
    });
    if (fits) return { path, query, load, params };
  }
  return { path, query, load: () => import("./pages/unknown.js"), params: {} };
}

function decoded(step) {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}

export function go(hash) {
  if (location.hash === hash) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = hash;
}

/** Keep what is chosen on a page in its address, without a step in the history. */
export function remember(values) {
  const { path, query } = place();
  for (const [name, value] of Object.entries(values)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const search = query.toString();
  history.replaceState(null, "", `#${path}${search ? `?${search}` : ""}`);
}
