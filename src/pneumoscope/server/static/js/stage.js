// The film on the Read page, with its evidence over it.

import { BASE } from "./base.js";

const KEY = "pneumoscope.evidence";
const SHOWN = /^image\/(jpeg|png|webp|bmp|gif)$/; // what a browser draws itself

export class Stage {
  constructor(root) {
    this.root = root;
    const find = (id) => document.getElementById(id);
    [this.film, this.evidence, this.toggle, this.opacity, this.viewer] = ["film", "evidence", "evidence-toggle", "opacity", "open-viewer"].map(find);
    this.none = root.querySelector(".stage-none");
    this.sides = root.querySelectorAll(".stage-side");
    this.url = null; // of the local file
    this.turn = 0; // which film is wanted: a slower, older one must not come in over it
    this.on = true;
    this.restore();
    this.toggle.addEventListener("click", () => this.flip());
    this.opacity.addEventListener("input", () => this.apply());
  }

  restore() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
      this.on = kept.on ?? true;
      this.opacity.value = kept.opacity ?? 70;
    } catch {
      this.on = true;
    }
    this.apply();
  }

  apply() {
    this.evidence.style.opacity = this.on ? this.opacity.value / 100 : 0;
    this.toggle.setAttribute("aria-pressed", String(this.on));
    try {
      localStorage.setItem(KEY, JSON.stringify({ on: this.on, opacity: Number(this.opacity.value) }));
    } catch {
      // nothing is kept
    }
  }

  /** Evidence on or off; answers the new state. */
  flip() {
    this.on = !this.on;
    this.apply();
    return this.on;
  }

  /** More or less of it, in steps of a tenth. */
  step(by) {
    this.opacity.value = Number(this.opacity.value) + by;
    this.on = true;
    this.apply();
  }

  /** Show a film: the file itself at once where the browser can, the server's picture when there is one. */
  async show(item) {
    const turn = ++this.turn;
    const answer = item.answer;
    const read = answer?.reading.status === "read";
    this.root.dataset.state = answer || item.state === "failed" ? "film" : "busy";
    this.label(answer);
    this.tools(answer, read);
    if (this.shown !== item) {
      this.evidence.hidden = true;
      await this.local(item);
      if (turn !== this.turn) return;
      this.shown = item;
    }
    if (!answer) return;
    const mended = answer.reading.corrections.length > 0;
    if (!this.url || mended) await this.picture([answer.picture, answer.stored], turn);
    if (turn !== this.turn || !read) return;
    this.evidence.alt = "";
    await load(this.evidence, answer.evidence).catch(() => (this.evidence.hidden = true));
  }

  /** R and L as the card has them: from the file, assumed (in brackets), or none where the film is taken for mirrored. */
  label(answer) {
    const known = answer?.card?.dataset.sides ?? "";
    const letters = ["R", "L"];
    this.sides.forEach((side, number) => {
      side.hidden = !known || answer.reading.status !== "read";
      side.textContent = known === "assumed" ? `(${letters[number]})` : letters[number];
      side.title = known === "assumed" ? "Assumed: the file does not say it" : "As the file says";
    });
  }

  tools(answer, read) {
    this.toggle.disabled = !read;
    this.opacity.disabled = !read;
    if (answer?.study) {
      this.viewer.href = `${BASE}/studies/${encodeURIComponent(answer.study)}/view?reading=${encodeURIComponent(answer.reading_id)}`;
      this.viewer.removeAttribute("aria-disabled");
    } else {
      this.viewer.removeAttribute("href");
      this.viewer.setAttribute("aria-disabled", "true");
    }
  }

  async local(item) {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    this.film.hidden = true;
    this.none.hidden = true;
    this.film.alt = `Film ${item.label}`;
    if (!item.file || !SHOWN.test(item.file.type)) return;
    const url = URL.createObjectURL(item.file);
    try {
      await load(this.film, url);
      this.url = url;
    } catch {
      URL.revokeObjectURL(url);
    }
  }

  async picture(addresses, turn) {
    for (const address of addresses.filter(Boolean)) {
      const ready = new Image();
      ready.src = address;
      try {
        await ready.decode();
      } catch {
        continue;
      }
      if (turn === this.turn) await load(this.film, address).catch(() => {});
      return;
    }
    if (turn === this.turn && !this.url) this.none.hidden = false;
  }
}

/** Put an address into an image; done when it can be drawn. */
async function load(image, address) {
  image.src = address;
  await image.decode();
  image.hidden = false;
}
