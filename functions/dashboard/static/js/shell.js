// What stays around the pages: name, navigation, theme, who is signed in.

import { fill, h, icon } from "./dom.js";
import { brand, portal } from "./portal.js";
import { end, may, who } from "./session.js";

const THEMES = ["auto", "light", "dark"];

const LINKS = [
  ["#/", "Overview", "overview", /^\/$/],
  ["#/webhooks", "Webhooks", "webhooks", /^\/webhooks/],
  ["#/events", "Events", "events", /^\/events/],
  ["#/dead-letters", "Dead letters", "dead", /^\/dead-letters/],
];
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
    text.textContent = `Theme: ${theme}`;
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
  return h("a.brand", { href: "#/" }, logo, h("span", portal && brand.name ? brand.name : "Webhooks"));
}

/** The frame around the pages; {main, at(path)}. */
export function shell(app) {
  const links = [...LINKS, ...(!portal && may("metrics:read") ? [SERVICE] : [])];
  const anchors = links.map(([href, text, glyph]) => h("a", { href }, icon(glyph), h("span", text)));
  const main = h("main", { id: "main" });
  const session = portal ? null : h("div.session", h("span.user", { title: "Signed in as" }, who()), h("button.bare", { type: "button", onclick: () => (end(), location.reload()) }, icon("out"), h("span", "Sign out")));
  fill(app,
    h("button.skip", { type: "button", onclick: () => main.querySelector("h1")?.focus() }, "Skip to content"),
    h("div.frame", h("header.side", mark(), h("nav", { "aria-label": "Pages" }, anchors), h("div.side-foot", themeButton(), session)), main));
  const at = (path) => links.forEach(([, , , pattern], index) => {
    if (pattern.test(path)) anchors[index].setAttribute("aria-current", "page");
    else anchors[index].removeAttribute("aria-current");
  });
  return { main, at };
}
