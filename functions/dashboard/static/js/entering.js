// The ways into the portal: a link that works once opens it in a tab of its own, or a platform's own pages embed it and
// hand over a token or a link. The address says how it looks.

import { secretInAddress } from "./addresses.js";
import { call } from "./api.js";
import { fill, h } from "./dom.js";
import { brand } from "./portal.js";
import { begin, expiresAt, forgetful, frameAncestors, inherit, keepApart, restore, share, signedIn, who } from "./session.js";
import { t } from "./strings.js";
import { button, confirm, dialog, empty, linkButton, mayLeave, skeleton, toast } from "./ui.js";

const WANTED = "webhooks:token-wanted";
const TOKEN = "webhooks:token";
const LINK = "webhooks:link";
const BEFORE_THE_END_MS = 2 * 60_000;
const ANSWER_MS = 5_000;

const parameters = new URLSearchParams(location.search);
const product = brand.name ?? t("the product that they belong to");
let asked = null;
let arrived = () => null; // a session, for which something waits
let shell = null; // {show(), shown(), anew()}

/** Whether another page shows this one, and all around it may: the policy says so too, where a browser keeps it. */
const embedded = () => parent !== window && [...(location.ancestorOrigins ?? [])].every((origin) => allowed(origin));

/** Whether an origin is one that may embed these pages; https://*.example.com stands for its subdomains. */
export function allowed(origin, ancestors = frameAncestors) {
  return ancestors.some((ancestor) => {
    if (!ancestor.includes("*")) return ancestor === origin;
    const [scheme, host] = ancestor.split("://*");
    return origin.startsWith(`${scheme}://`) && origin.endsWith(host) && origin.length > scheme.length + 3 + host.length;
  });
}

/** Let somebody in, or say how. `around`: what shows the pages, whether it does, and lets go of whoever was there. */
export function start(around) {
  shell = around;
  return parent === window ? alone() : listen();
}

/** In a tab of its own, by a link alone: a token in its address is a stranger's, for all that is known. */
async function alone() {
  keepApart();
  restore();
  secretInAddress("token");
  const link = secretInAddress("link");
  await inherit(() => (shell.anew(), lone("ended")), () => arrived());
  if (link) enter(link);
  else shell.show();
}

/** Embedded: take what the address brought, or ask the page around this one. */
function listen() {
  forgetful();
  const [token, link] = [secretInAddress("token"), secretInAddress("link")];
  shell.show();
  if (!embedded()) return; // some of the pages around this one may not embed it
  const redeemed = (one) => redeem(one).then(take, (error) => signedIn() || lone(refusal(error)));
  addEventListener("message", (event) => {
    if (event.source !== parent || !allowed(event.origin)) return;
    if (event.data?.type === TOKEN && typeof event.data.token === "string") take({ token: event.data.token });
    if (event.data?.type === LINK && typeof event.data.link === "string") redeemed(event.data.link);
  });
  if (token) take({ token });
  if (link) redeemed(link);
  else ask();
}

function take(session) {
  const before = who();
  begin(session);
  clearTimeout(asked);
  const end = expiresAt();
  if (end) asked = setTimeout(ask, Math.max(end - Date.now() - BEFORE_THE_END_MS, 10_000));
  arrived();
  if (!shell.shown() || who() !== before) shell.show();
}

/** The question holds nothing secret, so it may go to whoever embeds: the policy has let it. */
const ask = () => parent.postMessage({ type: WANTED }, "*");

/** The session that a portal link gives, once. Raises Problem. */
async function redeem(link) {
  const { body } = await call("POST", "portal-sessions", { body: { link }, root: true, signingIn: true });
  return { token: body.token, userId: String(body.user_id), scopes: body.scopes, expiresAt: Date.parse(body.expires_at) };
}

const refusal = (error) => (error.status === 401 ? "used" : "unreachable");

/** By the link of an address, which may not have anybody work in a stranger's account without a word. */
export async function enter(link) {
  if (parent !== window) return;
  if (!signedIn()) lone("opening");
  let session;
  try {
    session = await redeem(link);
  } catch (error) {
    if (!signedIn()) return lone(refusal(error));
    toast(t("The link was used before, or it has expired. You are still signed in."), "bad");
    return shell.shown() || shell.show();
  }
  const user = session.userId.slice(0, 64);
  const same = signedIn() && who() === session.userId;
  const text = t`You see, and change, the webhooks of ${user}. Go on only if you have just opened them yourself.`;
  if (!same && (!(await confirm(t`Go on as ${user}?`, text, t("Go on"), { danger: false })) || !(await mayLeave()))) {
    return shell.shown() || shell.show();
  }
  begin(session);
  share();
  arrived();
  if (same && shell.shown()) return;
  shell.anew();
  shell.show();
}

/** Another session for whoever is in the middle of something: true when there is one. */
export function again() {
  if (embedded()) {
    ask();
    return new Promise((resolve) => {
      arrived = () => resolve(true);
      setTimeout(() => resolve(false), ANSWER_MS);
    });
  }
  return dialog(t("Your session has ended"), (close) => {
    arrived = () => close(true);
    return h("div", h("p", t`Open your webhooks from ${product} again, in another tab. Then come back: what you typed is still here.`), h("div.actions.end", button(t("Not now"), () => close(false))));
  });
}

/** With nobody there: why, and what to do. */
export function lone(reason) {
  const said = {
    used: () => empty(t("This link no longer works"), t`It was used before, or it has expired. Open your webhooks from ${product} again.`),
    ended: () => empty(t("The session has ended"), embedded() ? t("Reload the page that shows these webhooks to go on.") : t`Open your webhooks from ${product} again to go on.`),
    unreachable: () => empty(t("No answer"), t`The service cannot be reached just now. Check the connection, then open your webhooks from ${product} again.`),
    alone: () => empty(t("Open this inside its product"), t("This page shows webhooks inside another product. Open them there."), linkButton(t("Open the dashboard"), location.pathname)),
    opening: () => h("div", skeleton(5)),
    waiting: () => h("div", skeleton(5), h("p.muted", t("Waiting for the page around this one to sign you in …"))),
  };
  fill(document.getElementById("app"), h("main.lone", h("h1.offscreen", t("Webhooks")), said[reason || (embedded() ? "waiting" : "alone")]()));
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
