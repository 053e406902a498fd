// Start: who looks, how it looks, and then the page that the address names.

import { ask, embedded, listen, paint, portal } from "./portal.js";
import { tokenInAddress } from "./addresses.js";
import { unauthorized } from "./api.js";
import { fill, h } from "./dom.js";
import { listenToKeys } from "./keys.js";
import { place } from "./router.js";
import { begin, claims, credentials, end, expiresAt, restore, signedIn, who } from "./session.js";
import { applyTheme, shell } from "./shell.js";
import { confirm, empty, failure, linkButton, mayLeave, skeleton, toast, unsaved } from "./ui.js";

const app = document.getElementById("app");
let frame = null;
let leaving = null;
let asked = null; // whether a form may be left, while the question is open

async function show() {
  if (!signedIn()) return welcome();
  frame ??= shell(app);
  leaving?.abort();
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
  try {
    const page = await load();
    if (signal.aborted) return;
    await page.show({ root, params, query, signal });
    const heading = root.querySelector("h1");
    if (heading && !signal.aborted) {
      document.title = `${heading.textContent} · Webhooks`;
      if (!root.contains(document.activeElement)) heading.focus({ preventScroll: true });
    }
  } catch (error) {
    if (error.name !== "AbortError" && !signal.aborted) fill(root, h("h1.offscreen", { tabindex: "-1" }, "Error"), failure(error, show));
  }
}

async function welcome(reason = "") {
  leaving?.abort();
  frame = null;
  if (portal && !embedded()) {
    const text = "This address shows webhooks inside the pages of a product that may do so. Open them there.";
    fill(app, h("main.lone", h("h1.offscreen", "Webhooks"), empty("Not by itself", text, linkButton("Open the dashboard", location.pathname))));
    return;
  }
  if (portal) {
    fill(app, h("main.lone", h("h1.offscreen", "Webhooks"), reason ? empty("The session has ended", "Reload the page that shows these webhooks to go on.") : h("div", skeleton(5), h("p.muted", "Waiting for the page around this one to sign you in …"))));
    return;
  }
  const { signIn } = await import("./pages/sign_in.js");
  signIn(app, { reason, done: (session) => (begin(session), show()) });
}

unauthorized.addEventListener("401", () => {
  if (!signedIn()) return;
  if (portal) {
    end();
    ask();
    welcome("ended");
    return;
  }
  end();
  welcome(`The service does not accept ${expiresAt() ? "this token" : "these credentials"} (any more). Sign in again.`);
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
  const token = portal ? null : tokenInAddress(new URL(event.oldURL || location.href).hash || "#/");
  if (token) return offer(token);
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

applyTheme();
listenToKeys();
if (portal) {
  paint();
  listen((changed) => (frame && !changed ? undefined : show()));
  show();
} else {
  restore();
  const token = tokenInAddress();
  show();
  if (token) offer(token);
}
