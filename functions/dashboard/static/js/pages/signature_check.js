// For whoever writes a receiver: does this signature belong to this body and this secret?

import { fill, h } from "../dom.js";
import { area, field, form, text, Wrong } from "../forms.js";
import { check, checkPublic } from "../signature.js";
import { badge, facts } from "../ui.js";
import { t } from "../strings.js";

export function signatureCheck(headers, body) {
  const of = (...names) => Object.entries(headers).find(([name]) => names.some((wanted) => name.toLowerCase() === wanted))?.[1].replace(/^.*\.\.\.$/, "") ?? "";
  const secret = text("", { class: "mono", placeholder: t("whsec_… or whpk_…"), spellcheck: "false", autocomplete: "off" });
  const id = text(of("webhook-id"), { class: "mono", spellcheck: "false" });
  const timestamp = text(of("webhook-timestamp"), { class: "mono", inputmode: "numeric" });
  const given = area(of("webhook-signature"), { class: "mono", rows: "2", spellcheck: "false" });
  const raw = area(body ?? "", { class: "mono", rows: "5", spellcheck: "false" });
  const result = h("div", { role: "status" });
  const submit = async () => {
    if (!secret.value.trim()) throw new Wrong("secret", t("is needed"));
    const key = secret.value.trim();
    const isPublic = key.startsWith("whpk_");
    const parts = { id: id.value.trim(), timestamp: timestamp.value.trim(), body: raw.value, given: given.value };
    let found;
    try {
      found = isPublic ? { holds: await checkPublic(key, parts) } : await check(key, parts);
    } catch (error) {
      if (error.name === "NotSupportedError") throw new Wrong("secret", t("cannot be used here: this browser knows no ed25519"));
      throw new Wrong("secret", isPublic ? t("is no key of 32 bytes as base64 after whpk_, or a signature is no base64") : t("what follows whsec_ is not base64"));
    }
    fill(result, h("p", badge(found.holds ? "success" : "failure", found.holds ? t("Signature valid") : t("Signature not valid"))),
      found.holds ? null : h("p.muted", t`Usual causes: ${isPublic ? t("a webhook that is not signed with ed25519, a key that has been replaced") : t("another webhook's secret")}, a body that was parsed and re-serialized, or the timestamp of another attempt.`),
      isPublic ? null : facts(["webhook-signature", h("code.breaks", found.expected.standard)], ["…-Signature", h("code.breaks", found.expected.plain)]));
  };
  return h("div.stack", h("p.muted", t("Computed in this browser: the secret is not sent anywhere.")),
    form([field("secret", t("Secret or public key"), secret), h("div.columns", field("id", "webhook-id", id), field("timestamp", t("Timestamp"), timestamp)), field("given", t("Signature as received"), given, { hint: t("webhook-signature, or X-…-Signature") }), field("body", t("Body as received"), raw)], { verb: t("Check"), submit, kind: "primary" }), result);
}
