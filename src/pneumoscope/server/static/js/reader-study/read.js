// Reading in a study: one film at a time, timed; pauses; nothing is lost, and nothing counts twice.

import { Problem, ROOT, post } from "../api.js";
import { el, percent } from "../dom.js";
import { bind } from "../keys.js";
import { announce, toast } from "../toast.js";
import { showFilm } from "../viewer/mount.js";
import { prefetchPixels } from "../viewer/pixels.js";
import { drawBox, pick } from "../viewer/toolbar.js";
import { Answer } from "./answer.js";
import { Clock } from "./clock.js";
import { Outbox, newKey } from "./outbox.js";

const study = document.getElementById("study");
const form = document.getElementById("answer");
const gate = document.getElementById("gate");
const give = document.getElementById("give");
const boxButton = document.getElementById("draw-box");
const { viewer } = document.querySelector("[data-viewer]");
const clock = new Clock();
const outbox = new Outbox(study.dataset.id, study.dataset.reader);
const answer = new Answer(form, viewer, changed);
const aided = study.dataset.arm === "aided";
let task = null;
let reading = false; // a film is before the reader
let sending = false;
let timer = 0;

/* Drafts */

function changed() {
  if (!reading) return;
  clearTimeout(timer);
  outbox.keep("draft", { arm: task.arm, position: task.position, said: draft() });
  timer = setTimeout(() => outbox.draft(task, draft()), 1500);
}

function draft() {
  return { ...answer.read(), seconds: Number(clock.read().toFixed(1)) };
}

addEventListener("pagehide", () => {
  if (reading && !sending) outbox.draft(task, draft());
});

/* The gate: before the first film, in pauses, in the washout, at the end */

let passed = () => {};

function close(title, text, button, go) {
  document.getElementById("gate-title").textContent = title;
  document.getElementById("gate-text").textContent = text;
  const press = document.getElementById("go");
  press.hidden = !button;
  press.textContent = button ?? "";
  passed = go ?? (() => {});
  gate.hidden = false;
  study.inert = true;
  study.classList.add("rs-hidden");
  (button ? press : document.getElementById("gate-title")).focus();
}

function open() {
  gate.hidden = true;
  study.inert = false;
  study.classList.remove("rs-hidden");
  document.getElementById("instructions")?.remove(); // they were read
  viewer.ink.focus({ preventScroll: true });
}

document.getElementById("go").addEventListener("click", () => passed());

function pause() {
  if (!reading || sending) return;
  if (!gate.hidden) {
    passed();
    return;
  }
  clock.stop();
  outbox.draft(task, draft());
  post(`/reader-studies/${study.dataset.id}/pause`).catch(() => {}); // it only stands in the log
  close("Paused", "The time does not run, and the film is hidden. You may close the page, too: what you have said of this film is kept.", "Go on (P)", () => {
    open();
    clock.go();
  });
}

document.getElementById("pause").addEventListener("click", pause);

/* Films */

async function show(next) {
  task = next;
  const progress = document.getElementById("progress");
  progress.value = task.total ? task.done / task.total : 1;
  if (task.state !== "read") {
    end();
    return;
  }
  if ((task.arm === "aided") !== aided) {
    location.reload(); // the page of the other arm has the model's tools
    return;
  }
  const kind = task.training ? "Training film" : "Film";
  document.getElementById("place").textContent = `${kind} ${task.done + 1} of ${task.total}${aided ? ", with the model" : ""}`;
  answer.clear();
  showAid();
  const kept = outbox.draftOf(task);
  await showFilm(viewer, task.source, { evidence: aided });
  if (!viewer.film || viewer.root.dataset.state === "failed") return;
  answer.write(kept);
  reading = true;
  give.disabled = false;
  if (gate.hidden) clock.start(kept.seconds ?? 0);
  else clock.seconds = kept.seconds ?? 0;
  if (task.ahead) prefetchPixels(task.ahead).catch(() => {});
}

function showAid() {
  const place = document.getElementById("aid");
  if (!place) return;
  place.hidden = !task.aid;
  if (!task.aid) return;
  const { name, call, probability, threshold, bundle } = task.aid;
  place.replaceChildren(
    el("div", {}, el("strong", {}, `Model: ${call}`), el("p", {}, `P(${name}) ${percent(probability)}, called from ${percent(threshold)}; ${bundle}. Research use only.`)),
  );
}

function end() {
  reading = false;
  document.getElementById("place").textContent = "";
  document.getElementById("pause").hidden = true;
  outbox.keep("draft", null);
  if (task.state === "done") {
    close("All films are read", "Thank you. What you have read is kept.", null);
  } else {
    const when = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" }).format(new Date(task.available));
    close("The first part is read", `The second part begins after a break, on ${when}.`, null);
  }
}

/* Answers */

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!reading || sending || !gate.hidden) return;
  clock.stop();
  const { arm, position } = task;
  await send({ arm, position, key: newKey(), ...answer.read(), seconds: Number(clock.read().toFixed(3)) });
});

async function send(said) {
  const trouble = document.getElementById("trouble");
  sending = true;
  give.disabled = true;
  clearTimeout(timer);
  try {
    const given = await outbox.send(said, (problem) => {
      trouble.textContent = `Not sent yet: ${problem.sentence} The reading is kept in this browser.`;
      trouble.hidden = false;
    });
    trouble.hidden = true;
    outbox.keep("draft", null);
    reading = false;
    if (given.feedback) await feedback(given.feedback);
    announce("Kept.");
    sending = false;
    await show(given.task);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    sending = false;
    trouble.textContent = problem.sentence;
    trouble.hidden = problem.status === 409;
    if (problem.status === 409) {
      toast(problem.sentence, { stay: true });
      reading = false;
      await load();
    } else {
      give.disabled = false;
      clock.go();
    }
  }
}

/** After a training film: what is known of it, until the reader goes on. */
function feedback({ label, right }) {
  return new Promise((resolve) => {
    close(right ? "As the reference says" : "The reference says otherwise", `The reference of this training film: ${label}.`, "Next film", () => {
      open();
      resolve();
    });
  });
}

/* Keys */

bind("Reader study", [
  { keys: ["y"], say: "The finding is present", run: () => ready() && answer.choose(true) },
  { keys: ["d"], say: "The finding is absent", run: () => ready() && answer.choose(false) },
  { keys: ["q"], say: "To the rating; then a number", run: () => ready() && answer.toRating() },
  { keys: ["B"], say: "A box on the film; the arrows move its corner", run: () => ready() && drawBox(viewer) },
  { keys: ["Backspace"], say: "Take the last box away", run: () => ready() && viewer.boxes.length > 0 && answer.dropBox(viewer.boxes.length - 1) },
  { keys: ["C"], say: "To the comment", run: () => ready() && form.elements.comment.focus() },
  { keys: ["P"], say: "Pause, and go on", run: pause },
]);

const ready = () => reading && !sending && gate.hidden;

boxButton.addEventListener("click", () => {
  pick(viewer, viewer.tool === "box" ? "window" : "box");
  viewer.ink.focus({ preventScroll: true });
});
viewer.addEventListener("change", () => boxButton.setAttribute("aria-pressed", String(viewer.tool === "box")));

form.elements.comment.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});

/* Beginning */

async function load() {
  const unsent = outbox.kept("sending");
  if (unsent) {
    await send(unsent);
    return;
  }
  await show(await post(`/reader-studies/${study.dataset.id}/task`));
}

async function begin() {
  give.disabled = true;
  close("One moment", "The films are prepared.", null);
  try {
    await load();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    close("The study cannot be read now", problem.sentence, "Try again", begin);
    return;
  }
  if (!task || task.state !== "read") return;
  const some = task.done ? `You have read ${task.done} of ${task.total} films.` : `There are ${task.total} films${task.training ? ", some of them for training, with feedback" : ""}.`;
  close(task.done ? "Go on reading" : "Begin reading", `${some} The time of each film is taken while it is shown; pause whenever you like.`, task.done ? "Go on" : "Begin", () => {
    open();
    clock.start(clock.read());
  });
}

begin();
