// Building elements: text goes in as text, so that a film's name can never become markup.

import { BASE } from "./base.js";

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; a child is a node, a string, or nothing. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  set(element, attributes);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The same, of SVG. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  set(element, attributes);
  element.append(...children);
  return element;
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** One of the drawings in icons.svg; it says nothing to a screen reader. */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `${BASE}/static/icons.svg#${name}` }));
}

/** A bar from 0 to 1, with marks (thresholds) where they are given. */
export function bar(value, marks = []) {
  const share = Math.min(1, Math.max(0, value));
  return svg(
    "svg",
    { class: "bar", "aria-hidden": "true" },
    svg("rect", { class: "bar-track", width: "100%", height: "100%", rx: 2 }),
    svg("rect", { class: "bar-fill", width: `${(100 * share).toFixed(2)}%`, height: "100%", rx: 2 }),
    ...marks
      .filter((mark) => mark > 0 && mark < 1)
      .map((mark) => svg("rect", { class: "bar-mark", x: `${(100 * mark).toFixed(2)}%`, y: -3, width: 2, height: 18 })),
  );
}

/** A share as a person reads it: never 0 % or 100 % of something that is not. As in reports/said.py. */
export function percent(share, digits = 1) {
  const least = 10 ** -digits;
  const value = 100 * share;
  if (value > 0 && value < least / 2) return `< ${least.toFixed(digits)} %`;
  if (value < 100 && value >= 100 - least / 2) return `> ${(100 - least).toFixed(digits)} %`;
  return `${value.toFixed(digits)} %`;
}
