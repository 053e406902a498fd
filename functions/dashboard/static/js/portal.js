// Portal mode: the dashboard as a platform shows it to its customers. How they come in is in entering.js.

const parameters = new URLSearchParams(location.search);
export const portal = parameters.has("portal");
export const brand = portal ? { name: parameters.get("name"), logo: parameters.get("logo") } : {};
