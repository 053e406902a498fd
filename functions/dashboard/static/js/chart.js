// Charts drawn as SVG at the width they get, with a line that says what is under the pointer, and a table for reading.

import { fill, h, svg } from "./dom.js";
import { dayOf, hourOf, local, zone } from "./format.js";
import { t } from "./strings.js";

const HEIGHT = 176;
const BOTTOM = 20;
const TOP = 8;
const LEFT = 46;

/** points: [{start, values}], one value (or null) for each of series: [{label, tone}].
 *  kind "bars" stacks them, "lines" draws each. */
export function chart({ title, kind, series, points, format, interval }) {
  const readout = h("p.readout", { "aria-hidden": "true" });
  const plot = h("div.plot");
  const total = kind === "bars" ? (point) => point.values.reduce((sum, value) => sum + (value ?? 0), 0) : (point) => Math.max(0, ...point.values.map((value) => value ?? 0));
  const most = nice(Math.max(...points.map(total), 0));
  const said = (index) => {
    const point = points[index];
    fill(readout, point ? [h("strong", label(point.start, interval, true)), series.map((one, at) => h("span", h(`i.swatch.${one.tone}`), `${one.label} ${point.values[at] === null ? "–" : format(point.values[at])}`))] : series.map((one) => h("span", h(`i.swatch.${one.tone}`), one.label)));
  };
  const draw = () => {
    const width = Math.max(plot.clientWidth, 240);
    fill(plot, drawing({ width, kind, series, points, most, format, interval, said, title }));
  };
  said(-1);
  const hours = interval === "day" ? null : h("span.muted.small", zone());
  new ResizeObserver(() => requestAnimationFrame(draw)).observe(plot);
  return h("figure.chart", h("figcaption", h("h2", title, " ", hours), readout), plot, table({ title, series, points, format, interval }));
}

function drawing({ width, kind, series, points, most, format, interval, said, title }) {
  const inner = width - LEFT;
  const step = inner / Math.max(points.length, 1);
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / most);
  const x = (index) => LEFT + step * index;
  const shape = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": t`${title}: chart; the figures are in the table below it` });
  for (const value of [0, most / 2, most]) {
    shape.append(svg("line.grid", { x1: LEFT, x2: width, y1: y(value), y2: y(value) }), svg("text.tick", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, format(value)));
  }
  const every = Math.max(1, Math.ceil(points.length / Math.max(2, Math.floor(inner / 84))));
  points.forEach((point, index) => {
    if (index % every === 0 && x(index) < width - 30) shape.append(svg("text.tick", { x: x(index), y: HEIGHT - 5 }, label(point.start, interval, false)));
  });
  if (kind === "bars") bars({ shape, points, series, x, y, step });
  else lines({ shape, points, series, x, y, step });
  const cursor = svg("rect.cursor", { y: TOP, height: HEIGHT - TOP - BOTTOM, width: Math.max(step, 2), x: -99 });
  shape.append(cursor);
  shape.addEventListener("pointermove", (event) => {
    const index = Math.floor((event.clientX - shape.getBoundingClientRect().left - LEFT) / step);
    if (!points[index]) return;
    cursor.setAttribute("x", x(index));
    said(index);
  });
  shape.addEventListener("pointerleave", () => (cursor.setAttribute("x", -99), said(-1)));
  return shape;
}

function bars({ shape, points, series, x, y, step }) {
  const gap = step > 6 ? Math.min(step * 0.25, 6) : 0.5;
  points.forEach((point, index) => {
    let below = 0;
    point.values.forEach((value, at) => {
      if (!value) return;
      const top = y(below + value);
      shape.append(svg(`rect.bar.${series[at].tone}`, { x: x(index) + gap / 2, y: Math.min(top, y(below) - 1.5), width: Math.max(step - gap, 1), height: Math.max(y(below) - top, 1.5), rx: step > 8 ? 1.5 : 0 }));
      below += value;
    });
  });
}

function lines({ shape, points, series, x, y, step }) {
  series.forEach((one, at) => {
    let path = "";
    let pen = false;
    points.forEach((point, index) => {
      const value = point.values[at];
      const [px, py] = [x(index) + step / 2, value === null ? 0 : y(value)];
      if (value === null) pen = false;
      else {
        const alone = !pen && (points[index + 1]?.values[at] ?? null) === null;
        if (alone) shape.append(svg(`circle.dot.${one.tone}`, { cx: px, cy: py, r: 2.5 }));
        path += `${pen ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`;
        pen = true;
      }
    });
    if (path) shape.append(svg(`path.line.${one.tone}`, { d: path }));
  });
}

function label(start, interval, exact) {
  if (interval === "day") return dayOf(start);
  return exact ? local(start) : hourOf(start);
}

function table({ title, series, points, format, interval }) {
  const some = points.filter((point) => point.values.some((value) => value));
  return h("details.as-table", h("summary", t("As a table")),
    some.length ? h("div.scroll", { tabindex: "0", role: "region", "aria-label": t`${title}, as a table` }, h("table", h("thead", h("tr", h("th", { scope: "col" }, t`Time (${zone()})`), series.map((one) => h("th.number", { scope: "col" }, one.label)))), h("tbody", some.map((point) => h("tr", h("th", { scope: "row" }, label(point.start, interval, true)), point.values.map((value) => h("td.number", value === null ? "–" : format(value)))))))) : h("p.muted", t("No data in this time range.")));
}

/** The next round number above. */
function nice(value) {
  if (value <= 0) return 4;
  const scale = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((step) => step * scale).find((step) => step >= value && (step >= 4 || scale > 1 || step % 2 === 0)) ?? value;
}

/** A share as a small bar beside its number. */
export function meter(rate) {
  const shape = svg("svg.meter", { viewBox: "0 0 40 6", "aria-hidden": "true" }, svg("rect.meter-ground", { width: 40, height: 6, rx: 3 }));
  if (rate !== null) shape.append(svg(`rect.bar.${rate >= 0.95 ? "good" : rate >= 0.5 ? "warn" : "bad"}`, { width: Math.max(40 * rate, 1), height: 6, rx: 3 }));
  return shape;
}
