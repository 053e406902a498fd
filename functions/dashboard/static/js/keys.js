// The keyboard: / searches, j and k go through a list, Enter opens what has the focus, ? tells of all this.

import { h } from "./dom.js";
import { dialog } from "./ui.js";
import { t } from "./strings.js";

const HELP = [["/", t("Search")], ["j", t("Next in the list")], ["k", t("Previous in the list")], ["Enter", t("Open")], ["Esc", t("Close what is open")], ["?", t("Show this")]];

const typing = (element) => element?.matches?.("input, select, textarea, [contenteditable]") ?? false;

/** Rows by the link that each of them opens. */
const rows = () => [...document.querySelectorAll("main tbody tr, main ul.rows > li")].map((row) => row.querySelector("a")).filter((one) => one?.offsetParent);

function step(by) {
  const all = rows();
  const focused = all.findIndex((one) => one.closest("tr, li").contains(document.activeElement));
  const at = focused === -1 ? all.findIndex((one) => one.getAttribute("aria-current")) : focused; // what is open beside the list
  const next = all[at === -1 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function search() {
  const field = document.querySelector("main input[type=search]") ?? document.querySelector("header input[type=search]");
  field?.focus();
  field?.select();
}

const help = () => dialog(t("Keyboard"), () => h("table.list.keys", h("tbody", HELP.map(([key, text]) => h("tr", h("th", { scope: "row" }, h("kbd", key)), h("td", text))))));

const DOES = { "/": search, j: () => step(1), k: () => step(-1), "?": help };

export function listenToKeys() {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
    const work = DOES[event.key];
    if (!work) return;
    event.preventDefault();
    work();
  });
}
