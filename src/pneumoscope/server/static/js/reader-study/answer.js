// The form beside the film: class, rating, boxes, zones, comment; as an object, and back.

import { el, icon } from "../dom.js";

export class Answer {
  constructor(form, viewer, changed) {
    this.form = form;
    this.viewer = viewer;
    this.changed = changed;
    this.list = document.getElementById("boxes");
    this.slider = document.getElementById("slider");
    this.number = document.getElementById("number");
    form.addEventListener("input", (event) => {
      if (event.target === this.slider) this.number.value = this.slider.value;
      if (event.target === this.number) this.slider.value = this.number.value;
      changed();
    });
    document.getElementById("rating").addEventListener("keydown", (event) => this.digit(event));
    viewer.addEventListener("boxes", () => {
      this.showBoxes();
      changed();
    });
  }

  /** A digit on the five points chooses one of them, as in a list. */
  digit(event) {
    if (this.number || !/^[1-5]$/.test(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    const radio = this.form.querySelector(`input[name="rating"][value="${event.key}"]`);
    event.preventDefault();
    radio.checked = true;
    radio.focus();
    this.changed();
  }

  /** Choose the first class that means the finding, or the first that does not; then the rating. */
  choose(positive) {
    const radio = this.form.querySelector(`input[name="class"][data-positive="${positive}"]`);
    radio.checked = true;
    this.changed();
    this.toRating();
  }

  toRating() {
    if (this.number) {
      this.number.focus();
      this.number.select();
    } else {
      (this.form.querySelector('input[name="rating"]:checked') ?? this.form.querySelector('input[name="rating"]')).focus();
    }
  }

  clear() {
    this.form.reset();
    if (this.number) this.number.value = "";
    this.viewer.set({ boxes: [], tool: "window" });
    this.viewer.ink.dataset.tool = "window";
    this.showBoxes();
  }

  /** What was said so far. */
  read() {
    const data = new FormData(this.form);
    const { film } = this.viewer;
    const share = (value, whole) => Math.min(1, Math.max(0, Number((value / whole).toFixed(5))));
    return {
      class: data.get("class"),
      rating: data.get("rating") ? Number(data.get("rating")) : null,
      zones: data.getAll("zone"),
      comment: data.get("comment") ?? "",
      boxes: film
        ? this.viewer.boxes.map(({ from, to }) => ({
            left: share(Math.min(from.x, to.x), film.width),
            top: share(Math.min(from.y, to.y), film.height),
            right: share(Math.max(from.x, to.x), film.width),
            bottom: share(Math.max(from.y, to.y), film.height),
          }))
        : [],
    };
  }

  /** Put a draft back. */
  write(said) {
    const check = (name, value) => {
      const input = [...this.form.querySelectorAll(`input[name="${name}"]`)].find((each) => each.value === String(value));
      if (input) input.checked = true;
    };
    if (said.class) check("class", said.class);
    if (said.rating !== null && said.rating !== undefined) {
      if (this.number) this.number.value = this.slider.value = said.rating;
      else check("rating", said.rating);
    }
    for (const zone of said.zones ?? []) check("zone", zone);
    this.form.querySelector(".rs-more").open = (said.zones ?? []).length > 0;
    this.form.elements.comment.value = said.comment ?? "";
    const { film } = this.viewer;
    if (!film) return;
    const corner = (x, y) => ({ x: x * film.width, y: y * film.height });
    const boxes = (said.boxes ?? []).map((box) => ({ from: corner(box.left, box.top), to: corner(box.right, box.bottom), active: "to" }));
    this.viewer.set({ boxes });
    this.showBoxes();
  }

  showBoxes() {
    this.list.replaceChildren(
      ...this.viewer.boxes.map((box, at) =>
        el(
          "li",
          {},
          el("span", {}, `Box ${at + 1}`),
          el("button", { class: "button button-icon button-quiet", type: "button", "aria-label": `Take box ${at + 1} away`, onclick: () => this.dropBox(at) }, icon("trash")),
        ),
      ),
    );
  }

  dropBox(at) {
    this.viewer.set({ boxes: this.viewer.boxes.filter((_, number) => number !== at) });
    this.showBoxes();
    this.changed();
  }
}
