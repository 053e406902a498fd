// Who looks: a token, or on the local stack a user's id.

import { call } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { local } from "../format.js";
import { begin, claims, end, remembered, trustsUserId, who } from "../session.js";
import { dialog } from "../ui.js";

/** The page; `done` is told the session that the API accepted. */
export function signIn(app, { reason, done }) {
  const { elements, first } = forms({ reason, done });
  fill(app, h("main.lone", h("div.sign-in", h("span.mark.large", icon("webhooks")), h("h1", { tabindex: "-1" }, "Webhooks"), h("p.muted", "Sign in to see your webhooks and their deliveries."), elements)));
  document.title = "Sign in · Webhooks";
  first.focus();
}

/** Over the page that is there, which stays as it is; true when the API accepted somebody. Esc and x give up. */
export const signInAgain = () => dialog("Your session has ended", (close) => h("div.sign-in.plain", h("p", "Sign in again to go on. Nothing on this page is lost."), forms({ reason: "", user: who(), done: () => close(true) }).elements));

function forms({ reason, user: name = "123", done }) {
  const before = remembered();
  const message = h("p.form-error", { role: "alert" }, reason);
  const user = h("input", { type: "text", name: "user", value: name, autocomplete: "username", required: true });
  const workspace = h("input", { type: "text", name: "workspace", autocomplete: "off" });
  const token = h("textarea.mono", { name: "token", rows: "4", autocomplete: "off", spellcheck: "false", required: true, placeholder: "eyJ…" });

  const attempt = (session) => async (event) => {
    event.preventDefault();
    message.textContent = "";
    const wanted = session();
    const ends = wanted.token && Number(claims(wanted.token).exp) * 1_000;
    if (ends && ends < Date.now()) {
      message.textContent = `This token expired at ${local(ends)}. Get a new one.`;
      return;
    }
    begin(wanted);
    try {
      await call("GET", "/webhooks", { query: { limit: 1 }, signingIn: true });
      done(wanted);
    } catch (error) {
      before ? begin(before) : end();
      message.textContent = error.status === 401 ? "Not accepted. Check that the token is complete, belongs to this deployment, and has not expired." : error.message;
    }
  };

  const byUser = h("form", { onsubmit: attempt(() => ({ userId: user.value.trim(), workspaceId: workspace.value.trim() })) },
    h("div.columns", h("label.field", h("span.label", "User id"), user), h("label.field", h("span.label", "Workspace id ", h("span.optional", "optional")), workspace)),
    h("button.button.primary.block", { type: "submit" }, "Continue"),
    h("p.hint", "Local stack: any user id works. The demo of ", h("code", "make run"), " has user 123."));
  const byToken = h("form", { onsubmit: attempt(() => ({ token: token.value.trim().replace(/^Bearer\s+/i, "") })) },
    h("label.field", h("span.label", "Token"), token),
    h("button.button.block", { type: "submit", class: trustsUserId ? "" : "primary" }, "Sign in"),
    h("p.hint", "A JWT with the scope ", h("code", "webhooks"), ": from your platform, or by ", h("code", "make token STAGE=… USER_ID=…"), ". It stays in this tab."));

  return { elements: [message, trustsUserId ? [byUser, h("details", h("summary", "Use a token instead"), byToken)] : byToken], first: trustsUserId ? user : token };
}
