import { put } from "../dom.js";
import { empty, head, linkButton } from "../ui.js";

export function show({ root }) {
  put(root, head("No such page"), empty("Page not found", "The address is wrong, or the page has moved.", linkButton("To the overview", "#/", { kind: "primary" })));
}
