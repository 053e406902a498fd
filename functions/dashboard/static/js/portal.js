// Portal mode: a platform's customers come by a link that works once, or its own pages embed these and hand over a token
// or a link. The address says how it looks.

import { secretInAddress } from "./addresses.js";
import { call } from "./api.js";
import { begin, expiresAt, forgetful, frameAncestors, who } from "./session.js";

const WANTED = "webhooks:token-wanted";
const TOKEN = "webhooks:token";
const LINK = "webhooks:link";
const BEFORE_THE_END_MS = 2 * 60_000;

const parameters = new URLSearchParams(location.search);
export const portal = parameters.has("portal");
export const brand = portal ? { name: parameters.get("name"), logo: parameters.get("logo") } : {};
let asked = null;

/** Whether another page shows this one, and all around it may: the policy says so too, where a browser keeps it. */
export const embedded = () => parent !== window && [...(location.ancestorOrigins ?? [])].every((origin) => allowed(origin));

/** Whether an origin is one that may embed these pages; https://*.example.com stands for its subdomains. */
export function allowed(origin, ancestors = frameAncestors) {
  return ancestors.some((ancestor) => {
    if (!ancestor.includes("*")) return ancestor === origin;
    const [scheme, host] = ancestor.split("://*");
    return origin.startsWith(`${scheme}://`) && origin.endsWith(host) && origin.length > scheme.length + 3 + host.length;
  });
}

/** Embedded: take the token or link out of the address, or ask the embedding page for one. `arrived` is told whether the
 *  user changed, `refused` why a link gave nothing. */
export function listen(arrived, refused) {
  forgetful();
  const [token, link] = [secretInAddress("token"), secretInAddress("link")];
  if (!embedded()) return; // some of the pages around this one may not embed it
  const enter = (one) => redeem(one).then((session) => take(session, arrived), refused);
  addEventListener("message", (event) => {
    if (event.source !== parent || !allowed(event.origin)) return;
    if (event.data?.type === TOKEN && typeof event.data.token === "string") take({ token: event.data.token }, arrived);
    if (event.data?.type === LINK && typeof event.data.link === "string") enter(event.data.link);
  });
  if (token) take({ token }, arrived);
  if (link) enter(link);
  else ask();
}

/** The session that a portal link gives, once. Raises Problem. */
export async function redeem(link) {
  const { body } = await call("POST", "portal-sessions", { body: { link }, root: true, signingIn: true });
  return { token: body.token, userId: String(body.user_id), scopes: body.scopes, expiresAt: Date.parse(body.expires_at) };
}

function take(session, arrived) {
  const before = who();
  begin(session);
  clearTimeout(asked);
  const end = expiresAt();
  if (end) asked = setTimeout(ask, Math.max(end - Date.now() - BEFORE_THE_END_MS, 10_000));
  arrived(who() !== before);
}

/** The question holds nothing secret, so it may go to whoever embeds: the policy has let it. */
export function ask() {
  if (portal && parent !== window) parent.postMessage({ type: WANTED }, "*");
}

/** The platform's colour, with text on it and links in it that can be read in both themes. */
export function paint() {
  const theme = parameters.get("theme");
  if (["light", "dark"].includes(theme)) document.documentElement.dataset.theme = theme;
  const accent = /^#?([0-9a-f]{6})$/i.exec(parameters.get("accent") ?? "")?.[1];
  if (!accent) return;
  const colour = [0, 2, 4].map((at) => parseInt(accent.slice(at, at + 2), 16));
  const style = document.documentElement.style;
  style.setProperty("--accent", `#${accent}`);
  style.setProperty("--on-accent", contrast(colour, [255, 255, 255]) >= 4.5 ? "#ffffff" : "#0c1016");
  style.setProperty("--link", `light-dark(${readable(colour, [255, 255, 255], 0)}, ${readable(colour, [23, 28, 36], 255)})`);
}

function readable(colour, ground, towards) {
  let mixed = colour;
  for (let step = 0; step < 20 && contrast(mixed, ground) < 5.5; step += 1) {
    mixed = mixed.map((part) => Math.round(part + (towards - part) * 0.12));
  }
  return `rgb(${mixed.join(" ")})`;
}

function contrast(one, other) {
  const [dark, bright] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
}

function luminance(colour) {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
