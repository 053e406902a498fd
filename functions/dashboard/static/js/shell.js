// What stays around the pages: name, navigation, theme, who is signed in.

import { go, link, withQuery } from "./addresses.js";
import { get, webhookPath } from "./api.js";
import { fill, h, icon } from "./dom.js";
import { brand, portal } from "./portal.js";
import { listsEvents, may, signOut, who } from "./session.js";
import { report } from "./ui.js";
import { t } from "./strings.js";

const THEMES = ["auto", "light", "dark"];

const LINKS = [
  ["#/", t("Overview"), "overview", /^\/$/],
  ["#/webhooks", t("Webhooks"), "webhooks", /^\/webhooks/],
  ["#/deliveries", t("Deliveries"), "deliveries", /^\/deliveries/],
  ["#/events", t("Events"), "events", /^\/events/],
  ["#/dead-letters", t("Dead letters"), "dead", /^\/(dead-letters|replays)/],
];
const API_KEYS = ["#/api-keys", "API keys", "key", /^\/api-keys/];
const SERVICE = ["#/service", "Service", "service", /^\/service/];

function stored() {
  try {
    return localStorage.getItem("theme") ?? "auto";
  } catch {
    return "auto";
  }
}

/** As last chosen on this machine; otherwise as the system says. */
export function applyTheme(theme = stored()) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function themeButton() {
  const text = h("span");
  const label = (theme) => {
    text.textContent = t`Theme: ${t(theme)}`;
  };
  label(stored());
  return h("button.bare.theme", {
    type: "button",
    onclick: () => {
      const next = THEMES[(THEMES.indexOf(stored()) + 1) % THEMES.length];
      try {
        localStorage.setItem("theme", next);
      } catch {
        // chosen for this page only
      }
      applyTheme(next);
      label(next);
    },
  }, icon("theme"), text);
}

function mark() {
  const logo = brand.logo ? h("img.logo", { src: brand.logo, alt: "" }) : h("span.mark", icon("webhooks"));
  return h("a.brand", { href: "#/" }, logo, h("span", portal && brand.name ? brand.name : t("Webhooks")));
}

/** One field for whatever was pasted: an id leads to what it names, a resource to its events, words to webhooks. */
function searchAll() {
  const field = h("input", { type: "search", placeholder: t("Search"), "aria-label": t("Search by id or name"), spellcheck: "false", autocomplete: "off" });
  const find = async (event) => {
    event.preventDefault();
    const words = field.value.trim();
    if (!words) return;
    const at = await addressOf(words).catch((error) => (report(error), null));
    if (!at) return;
    field.value = "";
    go(at);
  };
  return h("form.search", { role: "search", onsubmit: find }, icon("search"), field);
}

/** Where the page of an id is; else that of webhooks with these words. */
async function addressOf(words) {
  const there = (path) => get(path).then(() => true, (error) => [404, 422].includes(error.status) ? false : Promise.reject(error));
  if (/^dlv_\w+$/.test(words)) {
    const [one] = (await get("/deliveries", { id: words })).items;
    if (!one) throw new Error(t`No delivery ${words} was found.`);
    return link("webhooks", one.webhook_id, "deliveries", one.id);
  }
  if (/^wh_\w+$/.test(words) && (await there(webhookPath(words)))) return link("webhooks", words);
  if (/^rpl_\w+$/.test(words)) return link("replays");
  if (/^evt_\w+$/.test(words) || (/^[\w-]{1,64}$/.test(words) && (await there(`/events/${encodeURIComponent(words)}`)))) return link("events", words);
  if (listsEvents && /^\S+$/.test(words) && (await ofResource(words))) return withQuery("/events", { find: words });
  return withQuery("/webhooks", { q: words });
}

/** Whether there are events of this resource; of everybody's there is no list to look in. */
const ofResource = (id) => get("/events", { resource_id: id, limit: 1 }).then((found) => found.items.length > 0, () => false);

/** The frame around the pages; {main, at(path)}. */
export function shell(app) {
  const links = [...LINKS, ...(!portal && may("api-keys") ? [API_KEYS] : []), ...(!portal && may("metrics:read") ? [SERVICE] : [])];
  const anchors = links.map(([href, text, glyph]) => h("a", { href }, icon(glyph), h("span", text)));
  const main = h("main", { id: "main" });
  const session = portal ? null : h("div.session", h("span.user", { title: "Signed in as" }, who()), h("button.bare", { type: "button", onclick: () => (signOut(), location.reload()) }, icon("out"), h("span", "Sign out")));
  fill(app,
    h("button.skip", { type: "button", onclick: () => main.querySelector("h1")?.focus() }, t("Skip to content")),
    h("div.frame", h("header.side", mark(), searchAll(), h("nav", { "aria-label": t("Pages") }, anchors), h("div.side-foot", themeButton(), session)), main));
  const at = (path) => links.forEach(([, , , pattern], index) => {
    if (pattern.test(path)) anchors[index].setAttribute("aria-current", "page");
    else anchors[index].removeAttribute("aria-current");
  });
  return { main, at };
}
