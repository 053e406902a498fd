// Elements made by calls. Text is only ever text: no markup is parsed anywhere in these pages.

const SVG = "http://www.w3.org/2000/svg";

/** h("p.hint", {id: "x", onclick: f}, "text", otherElement): an element with classes, properties and children. */
export function h(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  return filled(element, rest);
}

/** The same for SVG. */
export function svg(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElementNS(SVG, tag);
  if (classes.length) element.setAttribute("class", classes.join(" "));
  return filled(element, rest);
}

function filled(element, rest) {
  let children = rest;
  const [first] = rest;
  if (first && typeof first === "object" && !(first instanceof Node) && !Array.isArray(first)) {
    for (const [name, value] of Object.entries(first)) set(element, name, value);
    children = rest.slice(1);
  }
  put(element, ...children);
  return element;
}

function set(element, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (typeof value === "function") {
    element.addEventListener(name.replace(/^on/, ""), value);
  } else if (name === "href") {
    element.setAttribute("href", address(value));
  } else if (name === "value" && "value" in element) {
    element.value = value;
  } else if (name === "class") {
    element.setAttribute("class", [element.getAttribute("class"), value].filter(Boolean).join(" "));
  } else {
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Only addresses of these pages and of the web: nothing that would run. */
export function address(value) {
  const text = String(value);
  return /^(#|https?:\/\/|\.{0,2}\/)/.test(text) || /^[a-z0-9/._-]*$/i.test(text) ? text : "#/";
}

/** Append children; null, false and undefined are passed over. */
export function put(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/** In place of whatever the element had. */
export function fill(element, ...children) {
  element.replaceChildren();
  return put(element, ...children);
}

/** The same when figures are read anew: what was opened stays open, and the focus stays where it was. */
export function redraw(element, ...children) {
  const told = (one) => `${one.localName} ${one.getAttribute("href")} ${one.textContent}`;
  const opened = [...element.querySelectorAll("details")].map((one) => one.open);
  const focus = element.contains(document.activeElement) && told(document.activeElement);
  fill(element, ...children);
  const now = [...element.querySelectorAll("details")];
  if (now.length === opened.length) now.forEach((one, at) => (one.open = opened[at]));
  if (focus) [...element.querySelectorAll("a, button, summary")].find((one) => told(one) === focus)?.focus({ preventScroll: true });
}

const ICONS = {
  overview: "M4 19V11M10 19V5M16 19v-6M21 19H3",
  webhooks: "M12 7 8.4 13.6M12 7l4 7M8 17h8M12 7m-2.4 0a2.4 2.4 0 1 0 4.8 0a2.4 2.4 0 1 0-4.8 0M7 17m-2.4 0a2.4 2.4 0 1 0 4.8 0a2.4 2.4 0 1 0-4.8 0M17 17m-2.4 0a2.4 2.4 0 1 0 4.8 0a2.4 2.4 0 1 0-4.8 0",
  deliveries: "M3 12h13M11 6l6 6-6 6M21 4v16",
  events: "M13 3 5 13.5h6L10 21l8.500-10.500h-6z",
  dead: "M4 7h16M6 7l1 13h10l1-13M9 7V4h6v3M10 11v5M14 11v5",
  service: "M4 5h16v5H4zM4 14h16v5H4zM7.500 7.500h.01M7.500 16.500h.01",
  key: "M8 15m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0M11 12l9-9M16 7l3 3",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  done: "M5 12.500l4.500 4.500L19 7.500",
  plus: "M12 5v14M5 12h14",
  theme: "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z",
  out: "M10 4H5v16h5M15 8l4 4-4 4M19 12H9",
  close: "M6 6l12 12M18 6L6 18",
  search: "M11 11m-6.500 0a6.500 6.500 0 1 0 13 0a6.500 6.500 0 1 0-13 0M20 20l-4.300-4.300",
};

/** A line drawing beside text; hidden from those who listen. */
export function icon(name) {
  return svg("svg.icon", { viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, svg("path", { d: ICONS[name] }));
}
