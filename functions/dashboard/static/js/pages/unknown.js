import { put } from "../dom.js";
import { empty, head, linkButton } from "../ui.js";
import { t } from "../strings.js";

export function show({ root }) {
  put(root, head(t("No such page")), empty(t("Page not found"), t("The address is wrong, or the page has moved."), linkButton(t("To the overview"), "#/", { kind: "primary" })));
}
