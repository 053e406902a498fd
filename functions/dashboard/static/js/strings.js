// In which language the pages speak. The code has the English, each other language is one file of strings/, and only the
// one that the address asks for is loaded: ?portal&language=de.

const LANGUAGES = ["de"];
const parameters = new URLSearchParams(location.search);
const asked = parameters.has("portal") ? parameters.get("language") : null;
export const language = LANGUAGES.includes(asked) ? asked : "en";
const strings = language === "en" ? {} : (await import(`./strings/${language}.js`)).default;

/** t("Save"), or t`Delete ${name}?`, which stands in the file as "Delete {0}?". What it lacks stays English. */
export function t(text, ...values) {
  if (typeof text === "string") return strings[text] ?? text;
  const key = text.reduce((whole, part, at) => `${whole}{${at - 1}}${part}`);
  return (strings[key] ?? key).replace(/\{(\d)\}/g, (_, at) => values[at]);
}
