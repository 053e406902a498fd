// A delivery beside the list that it was opened from, where the window has room for both. The address says which.

import { address, remember, withQuery } from "./addresses.js";
import { fill, h, icon } from "./dom.js";
import { t } from "./strings.js";
import { failure, linkButton, mayLeave, skeleton } from "./ui.js";

const ROOM = matchMedia("(min-width: 1100px)");
const DELIVERY = /^#\/webhooks\/([^/?]+)\/deliveries\/([^/?]+)$/;

/** Links to deliveries within `list` open them beside it. */
export function beside(list, signal) {
  let panel = null;
  let inner = null;
  const close = () => {
    inner?.abort();
    panel?.remove();
    panel = null;
    list.querySelectorAll("a[aria-current]").forEach((one) => one.removeAttribute("aria-current"));
  };
  const leave = async () => {
    if (!panel || !(await mayLeave(panel))) return;
    const opener = list.querySelector("a[aria-current]");
    close();
    remember({ show: "" });
    opener?.focus();
  };
  const open = async (hash, opener = null) => {
    close();
    inner = new AbortController();
    const mine = inner.signal;
    const root = h("div.page", skeleton(6));
    const x = h("button.bare", { type: "button", "aria-label": t("Close the delivery"), onclick: leave }, icon("close"));
    panel = h("aside.beside", { "aria-label": t("Delivery") }, h("div.beside-head", linkButton(t("Open as a page"), hash, { kind: "quiet" }), x), root);
    list.after(panel);
    opener?.setAttribute("aria-current", "true");
    const [webhook, delivery] = DELIVERY.exec(hash).slice(1).map(decodeURIComponent);
    try {
      const page = await import("./pages/delivery.js");
      await page.show({ root, params: { webhook, delivery }, signal: mine, level: "h2" });
      if (opener && !mine.aborted) root.querySelector(".head h2").focus({ preventScroll: true });
    } catch (error) {
      if (error.name !== "AbortError" && !mine.aborted) fill(root, failure(error, () => open(hash, opener)));
    }
  };
  list.addEventListener("click", async (event) => {
    const opener = event.target.closest("a");
    const hash = opener?.getAttribute("href");
    if (!DELIVERY.test(hash) || !ROOM.matches || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (panel && !(await mayLeave(panel))) return;
    const { path, query } = address();
    history.pushState({ entry: crypto.randomUUID() }, "", withQuery(path, { ...Object.fromEntries(query), show: hash.slice(1) }));
    open(hash, opener);
  });
  addEventListener("keydown", (event) => event.key === "Escape" && !document.querySelector("dialog[open]") && leave(), { signal });
  signal.addEventListener("abort", close);
  const shown = `#${address().query.get("show")}`;
  if (DELIVERY.test(shown) && ROOM.matches) queueMicrotask(() => !signal.aborted && list.parentNode && open(shown));
}
