// How figures, times and words are shown.

import { parse, write } from "./exact.js";
import { language, t } from "./strings.js";

const LOCALE = language === "en" ? navigator.language : language;
const number = new Intl.NumberFormat(LOCALE);
const compact = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 });
const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto", style: "short" });
const full = new Intl.DateTimeFormat(LOCALE, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
const timed = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
const clock = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(LOCALE, { month: "short", day: "numeric" });
const STEPS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

export const count = (value) => (Math.abs(value) >= 100_000 ? compact : number).format(value);

/** 0.9987 -> 99.87 %; what is not all is never shown as 100 %. */
export function percent(rate) {
  if (rate === null || rate === undefined) return "–";
  const shown = rate < 1 ? Math.min(Math.floor(rate * 10_000) / 100, 99.99) : 100;
  return `${number.format(shown)} %`;
}

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  return value < 1_000 ? t`${number.format(Math.round(value))} ms` : `${number.format(Math.round(value / 100) / 10)} s`;
}

/** A stretch of time in its two largest units. */
export function stretch(seconds) {
  if (seconds < 1) return t("less than a second");
  const parts = [];
  let left = Math.round(seconds);
  for (const [unit, size] of STEPS) {
    const some = Math.floor(left / size);
    if (some && parts.length < 2) parts.push(plural(some, unit));
    left -= some * size;
  }
  return parts.join(" ");
}

/** "3 min. ago", "in 2 hr." */
export function ago(iso) {
  const seconds = (new Date(iso) - Date.now()) / 1_000;
  const [unit, size] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return relative.format(Math.round(seconds / size), unit);
}

/** In the reader's zone, which it names. */
export const local = (iso) => full.format(new Date(iso));
export const clockTime = (date) => timed.format(date);
export const zone = () => timed.formatToParts().find((part) => part.type === "timeZoneName")?.value ?? t("local time");
export const utc = (iso) => `${new Date(iso).toISOString().replace("T", " ").replace("Z", "")} UTC`;
export const hourOf = (iso) => clock.format(new Date(iso));
export const dayOf = (iso) => day.format(new Date(iso));
export const json = (value) => write(value, 2);

/** JSON laid out, anything else as it is. */
export function pretty(text) {
  try {
    return json(parse(text));
  } catch {
    return text;
  }
}

/** A long text with its middle left out: both ends of a URL tell which one it is. */
export function middle(text, most) {
  const left = Math.ceil((most - 1) * 0.6);
  return text.length > most ? `${text.slice(0, left)}…${text.slice(text.length - (most - 1 - left))}` : text;
}

/** "some_attempts_fail" -> "some attempts fail" */
export const words = (name) => t(String(name ?? "").replaceAll("_", " "));

export const plural = (amount, one, many = `${one}s`) => `${count(amount)} ${t(amount === 1 ? one : many)}`;
