// Start: who looks, how it looks, and then the page that the address names.

import { ask, brand, embedded, listen, paint, portal, redeem } from "./portal.js";
import { secretInAddress } from "./addresses.js";
import { renewBy } from "./api.js";
import { fill, h } from "./dom.js";
import { listenToKeys } from "./keys.js";
import { place } from "./router.js";
import { begin, claims, credentials, end, inherit, keepApart, restore, share, signedIn, who } from "./session.js";
import { applyTheme, shell } from "./shell.js";
import { button, confirm, dialog, empty, failure, linkButton, mayLeave, skeleton, toast, unsaved } from "./ui.js";

const TOKEN_MS = 5_000;
const DECLINED_MS = 60_000; // for which nobody is asked again only because something would be refreshed
let declined = 0;
const app = document.getElementById("app");
let frame = null;
let leaving = null;
let here = null; // the entry of the history that is shown
const scrolled = new Map(); // how far down each was when it was left
let arrived = () => null; // a session, in portal mode
let asked = null; // whether a form may be left, while the question is open

async function show() {
  if (!signedIn()) return welcome();
  frame ??= shell(app);
  leaving?.abort();
  scrolled.set(here, scrollY);
  const back = scrolled.get(history.state?.entry) ?? 0;
  here = history.state?.entry ?? crypto.randomUUID();
  history.replaceState({ entry: here }, "");
  document.querySelectorAll("dialog[open]").forEach((one) => one.close());
  leaving = new AbortController();
  const { signal } = leaving;
  const { path, query, load, params } = place();
  frame.at(path);
  const root = h("div.page");
  fill(frame.main, h("div.page", skeleton(6)));
  // the page takes the place of what stands for it with the first thing that it has to show
  const first = new MutationObserver(() => signal.aborted || root.isConnected || fill(frame.main, root));
  first.observe(root, { childList: true });
  comeBack(root, back, signal);
  try {
    const page = await load();
    if (signal.aborted) return;
    await page.show({ root, params, query, signal });
    const heading = root.querySelector("h1");
    if (heading && !signal.aborted) {
      document.title = `${heading.textContent} · ${(portal && brand.name) || "Webhooks"}`;
      if (!root.contains(document.activeElement)) heading.focus({ preventScroll: true });
    }
  } catch (error) {
    if (error.name !== "AbortError" && !signal.aborted) fill(root, h("h1.offscreen", { tabindex: "-1" }, "Error"), failure(error, show));
  }
}

/** To where the page was left, as soon as there is so much of it again; a new page begins at its top. */
function comeBack(root, to, signal) {
  scrollTo(0, to);
  if (!to) return;
  const watch = new MutationObserver(() => {
    if (document.documentElement.scrollHeight - innerHeight < to) return;
    scrollTo(0, to);
    watch.disconnect();
  });
  watch.observe(root, { childList: true, subtree: true });
  for (const own of ["wheel", "keydown", "pointerdown"]) addEventListener(own, () => watch.disconnect(), { once: true, signal });
  signal.addEventListener("abort", () => watch.disconnect());
}

/** Whether the embedding page hands over another session in time. */
const came = (within) => new Promise((resolve) => {
  arrived = () => resolve(true);
  setTimeout(() => resolve(false), within);
});

async function welcome(reason = "") {
  if (portal) return lone(reason);
  leaving?.abort();
  frame = null;
  const { signIn } = await import("./pages/sign_in.js");
  signIn(app, { reason, done: (session) => (begin(session), show()) });
}

/** In portal mode, with nobody there. */
function lone(reason) {
  leaving?.abort();
  frame = null;
  const product = brand.name ?? "the product that they belong to";
  const said = {
    used: () => empty("This link works no more", `It was used before, or is too old. Open your webhooks from ${product} again.`),
    ended: () => empty("The session has ended", embedded() ? "Reload the page that shows these webhooks to go on." : `Open your webhooks from ${product} again to go on.`),
    unreachable: () => empty("No answer", `The service cannot be reached just now. Check the connection, then open your webhooks from ${product} again.`),
    alone: () => empty("Not by itself", "This address shows webhooks inside the pages of a product that may do so. Open them there.", linkButton("Open the dashboard", location.pathname)),
    opening: () => h("div", skeleton(5)),
    waiting: () => h("div", skeleton(5), h("p.muted", "Waiting for the page around this one to sign you in …")),
  };
  fill(app, h("main.lone", h("h1.offscreen", "Webhooks"), said[reason || (embedded() ? "waiting" : "alone")]()));
}

/** Why a portal link gave nothing. */
const refusal = (error) => (error.status === 401 ? "used" : "unreachable");

/** By a portal link, in a tab of its own. It may not have anybody work in a stranger's account without a word. */
async function enter(link) {
  if (!signedIn()) lone("opening");
  let session;
  try {
    session = await redeem(link);
  } catch (error) {
    if (!signedIn()) return lone(refusal(error));
    toast("The link was used before, or is too old. You are still signed in.", "bad");
    return frame || show();
  }
  const same = signedIn() && who() === session.userId;
  const text = `You see, and change, the webhooks of ${session.userId.slice(0, 64)}. Go on only if you have just opened them yourself.`;
  if (!same && (!(await confirm(`Go on as ${session.userId.slice(0, 64)}?`, text, "Go on", { danger: false })) || !(await mayLeave()))) {
    return frame || show();
  }
  begin(session);
  share();
  if (same && frame) return;
  frame = null;
  show();
}

/** In a tab of its own, until the customer has opened the portal again in another one, which hands the session on. */
const openedAgain = () => dialog("Your session has ended", (close) => {
  arrived = () => close(true);
  return h("div", h("p", `Open your webhooks from ${brand.name ?? "the product that they belong to"} again, in another tab. Then come back: what you typed is still here.`), h("div.actions.end", button("Not now", () => close(false))));
});

// in the middle of something: whoever looks signs in again in place, and what was asked for goes on
renewBy(async (changes) => {
  if (!signedIn() || (!changes && Date.now() - declined < DECLINED_MS)) return false;
  if (portal) {
    ask();
    if (await (embedded() ? came(TOKEN_MS) : openedAgain())) return true;
    declined = Date.now();
    if (unsaved()) return false; // it stays, and saving asks once more
    end();
    lone("ended");
    return false;
  }
  const { signInAgain } = await import("./pages/sign_in.js");
  const before = who();
  if (await signInAgain()) {
    if (who() !== before) location.reload(); // what is on the page is somebody else's
    return true;
  }
  declined = Date.now();
  if (unsaved()) return false; // it stays, and saving asks once more
  end();
  welcome("Your session has ended. Sign in again.");
  return false;
});

/** A link may not sign anybody in as somebody else without a word. */
async function offer(token) {
  if (credentials().Authorization === `Bearer ${token}`) return;
  const user = String(claims(token).sub ?? "somebody unknown").slice(0, 64);
  const now = signedIn() ? `You are signed in as ${who()}. ` : "";
  const text = `${now}A link asks to sign you in as ${user}: you would see, and change, what is theirs. Go on only if you expected this.`;
  if (!(await confirm(`Sign in as ${user}?`, text, "Sign in")) || !(await mayLeave())) return;
  begin({ token });
  frame = null;
  show();
}

addEventListener("hashchange", async (event) => {
  const brought = portal ? (embedded() ? null : "link") : "token";
  const secret = brought && secretInAddress(brought, new URL(event.oldURL || location.href).hash || "#/");
  if (secret) return brought === "link" ? enter(secret) : offer(secret);
  if (!event.oldURL || !unsaved()) return show();
  history.pushState(null, "", event.oldURL); // the address is that of the form for as long as it is asked
  if (asked) return;
  asked = mayLeave();
  const left = await asked;
  asked = null;
  if (!left) return;
  history.replaceState(null, "", event.newURL);
  show();
});
addEventListener("beforeunload", (event) => unsaved() && event.preventDefault());
addEventListener("unhandledrejection", (event) => {
  if (event.reason?.name === "AbortError") event.preventDefault();
  else toast(event.reason?.message ?? "Something went wrong.", "bad");
});

history.scrollRestoration = "manual";
applyTheme();
listenToKeys();
if (portal) paint();
if (portal && parent !== window) {
  listen((changed) => (arrived(), frame && !changed ? undefined : show()), (error) => signedIn() || lone(refusal(error)));
  show();
} else if (portal) {
  keepApart();
  restore();
  const link = secretInAddress("link");
  secretInAddress("token"); // a stranger's, for all that is known
  await inherit(() => lone("ended"), () => arrived());
  if (link) enter(link);
  else show();
} else {
  restore();
  const token = secretInAddress("token");
  await inherit(() => location.reload());
  show();
  if (token) offer(token);
}
