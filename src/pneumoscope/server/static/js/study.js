// One study: keys for going about and for the verdict, reading again, and word of what others change.

import { Problem, ROOT, post } from "./api.js";
import { el } from "./dom.js";
import { bind } from "./keys.js";
import { localise } from "./times.js";
import { announce, toast } from "./toast.js";
import "./viewer/mount.js";

const study = document.getElementById("study");
const press = (id) => document.getElementById(id)?.click();

/** Choose "Agree" and stand on the button: the verdict is given by a second key. */
function agree() {
  const radio = document.querySelector('#verdict input[value="agree"]');
  if (!radio) return;
  radio.checked = true;
  (document.getElementById("give-next") ?? document.getElementById("give")).focus();
  announce("Agree is chosen. Enter gives the verdict.");
}

function correct() {
  const radio = document.getElementById("correct");
  if (!radio) return;
  radio.checked = true;
  const list = document.getElementById("corrected-to");
  list.focus();
  list.scrollIntoView({ block: "nearest" });
}

bind("Study", [
  { keys: ["n"], say: "Next study", run: () => press("next") },
  { keys: ["b"], say: "Study before", run: () => press("previous") },
  { keys: ["u"], say: "Back to the worklist", run: () => press("back") },
  { keys: ["a"], say: "Agree", run: agree },
  { keys: ["c"], say: "Correct to ...", run: correct },
]);

// Whoever chooses what it should be means "correct".
document.getElementById("corrected-to")?.addEventListener("change", () => {
  document.getElementById("correct").checked = true;
});

document.getElementById("delete")?.addEventListener("submit", (event) => {
  event.preventDefault();
  document.getElementById("delete-dialog").showModal();
});

document.getElementById("again")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  const [bundle, preset] = form.elements.with.value.split("|");
  button.disabled = true;
  button.textContent = "Reading ...";
  announce("Reading.");
  try {
    const query = { bundle, preset, force: form.elements.force.checked || null };
    const readings = await post(`/studies/${study.dataset.id}/readings`, undefined, query);
    const mine = readings.find((reading) => reading.film === form.elements.film.value) ?? readings[0];
    own = true;
    const known = document.querySelector(`.study-readings a[href*="reading=${mine.id}"]`);
    if (known) {
      known.focus();
      toast("It was read in just this way before.");
      button.disabled = false;
      button.textContent = "Read again";
      return;
    }
    const search = new URLSearchParams(location.search);
    search.delete("film");
    search.set("reading", mine.id);
    location.assign(`?${search}`);
  } catch (error) {
    toast(error instanceof Problem ? error.sentence : "The server does not answer. Try again.", { stay: true });
    button.disabled = false;
    button.textContent = "Read again";
  }
});

// Somebody else read, judged or deleted it: say so, and leave the page as it is.
let own = false; // the change is this page's
addEventListener("submit", () => (own = true));
const events = new EventSource(`${ROOT}/events?since=${study.dataset.latest}`); // from what the page shows on
events.addEventListener("changed", (event) => {
  if (own || !JSON.parse(event.data).ids.includes(study.dataset.id)) return;
  const told = document.getElementById("changed");
  told.replaceChildren(
    el("span", {}, "This study has just been changed."),
    el("button", { class: "button", type: "button", onclick: () => location.reload() }, "Show"),
  );
  told.hidden = false;
});
addEventListener("pagehide", () => events.close());

localise();
