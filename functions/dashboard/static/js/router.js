// Pages by their addresses behind the #, so that one file serves them all and the API's own paths stay free.

import { address } from "./addresses.js";
import { portal } from "./portal.js";

const ROUTES = [
  ["/", () => import("./pages/overview.js")],
  ["/webhooks", () => import("./pages/webhooks.js")],
  ["/webhooks/new", () => import("./pages/webhook_form.js")],
  ["/webhooks/:webhook", () => import("./pages/webhook.js")],
  ["/webhooks/:webhook/edit", () => import("./pages/webhook_form.js")],
  ["/webhooks/:webhook/deliveries/:delivery", () => import("./pages/delivery.js")],
  ["/deliveries", () => import("./pages/deliveries_found.js")],
  ["/replays", () => import("./pages/replays.js")],
  ["/events", () => import("./pages/events.js")],
  ["/events/:event", () => import("./pages/event.js")],
  ["/dead-letters", () => import("./pages/dead_letters.js")],
  ...(portal ? [] : [["/api-keys", () => import("./pages/api_keys.js")], ["/service", () => import("./pages/service.js")], ["/erasures", () => import("./pages/erasures.js")]]),
];

/** Where the address bar points: {path, query, load, params}. */
export function place() {
  const { path, query } = address();
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
