// Start: who looks, how it looks, and then the page that the address names.

import { brand, portal } from "./portal.js";
import { secretInAddress } from "./addresses.js";
import { renewBy } from "./api.js";
import { fill, h } from "./dom.js";
import { listenToKeys } from "./keys.js";
import { place } from "./router.js";
import { begin, claims, credentials, end, inherit, restore, signedIn, who } from "./session.js";
import { applyTheme, shell } from "./shell.js";
import { confirm, failure, mayLeave, skeleton, toast, unsaved } from "./ui.js";
import { language, t } from "./strings.js";

const DECLINED_MS = 60_000; // for which nobody is asked again only because something would be refreshed
let declined = 0;
const way = portal ? await import("./entering.js") : null;
const app = document.getElementById("app");
let frame = null;
let leaving = null;
let here = null; // the entry of the history that is shown
const scrolled = new Map(); // how far down each was when it was left
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
      document.title = `${heading.textContent} · ${(portal && brand.name) || t("Webhooks")}`;
      if (!root.contains(document.activeElement)) heading.focus({ preventScroll: true });
    }
  } catch (error) {
    if (error.name !== "AbortError" && !signal.aborted) fill(root, h("h1.offscreen", { tabindex: "-1" }, t("Error")), failure(error, show));
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

/** Nothing is shown any more of whoever was there. */
function anew() {
  leaving?.abort();
  frame = null;
}

async function welcome(reason = "") {
  anew();
  if (way) return way.lone(reason);
  const { signIn } = await import("./pages/sign_in.js");
  signIn(app, { reason, done: (session) => (begin(session), show()) });
}

// in the middle of something: whoever looks signs in again in place, and what was asked for goes on
renewBy(async (changes) => {
  if (!signedIn() || (!changes && Date.now() - declined < DECLINED_MS)) return false;
  const before = who();
  const again = way ? way.again : (await import("./pages/sign_in.js")).signInAgain;
  if (await again()) {
    if (who() !== before) location.reload(); // what is on the page is somebody else's
    return true;
  }
  declined = Date.now();
  if (unsaved()) return false; // it stays, and saving asks once more
  end();
  welcome(way ? "ended" : "Your session has ended. Sign in again.");
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
  const secret = secretInAddress(way ? "link" : "token", new URL(event.oldURL || location.href).hash || "#/");
  if (secret) return way ? way.enter(secret) : offer(secret);
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
  else toast(event.reason?.message ?? t("Something went wrong."), "bad");
});

history.scrollRestoration = "manual";
applyTheme();
listenToKeys();
document.documentElement.lang = language;
if (way) {
  way.paint();
  way.start({ show, shown: () => frame !== null, anew });
} else {
  restore();
  const token = secretInAddress("token");
  await inherit(() => location.reload());
  show();
  if (token) offer(token);
}
