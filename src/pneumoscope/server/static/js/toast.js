// Short messages at the foot of the page, and words for screen readers.

import { el, icon } from "./dom.js";

const STAYS = 6000; // milliseconds; one with an action stays until it is closed

/** Show a message. With an action ({ label, run }) it stays until it is used or closed. */
export function toast(text, { action = null, stay = false } = {}) {
  const box = document.getElementById("toasts");
  if (!box) return () => {};
  const close = () => message.remove();
  const message = el(
    "div",
    { class: "toast" },
    el("p", {}, text),
    action &&
      el("button", { class: "button", type: "button", onclick: () => (close(), action.run()) }, action.label),
    el("button", { class: "button button-icon", type: "button", "aria-label": "Close", onclick: close }, icon("close")),
  );
  box.append(message);
  if (!action && !stay) {
    let left = setTimeout(close, STAYS);
    message.addEventListener("pointerenter", () => clearTimeout(left));
    message.addEventListener("pointerleave", () => (left = setTimeout(close, STAYS)));
    message.addEventListener("focusin", () => clearTimeout(left));
  }
  return close;
}

let waiting = [];
let timer = 0;

/** Say something to a screen reader; what comes at once is said together. */
export function announce(text) {
  waiting.push(text);
  clearTimeout(timer);
  timer = setTimeout(() => {
    const live = document.getElementById("live");
    if (live) live.textContent = waiting.slice(-4).join(" ");
    waiting = [];
  }, 150);
}
