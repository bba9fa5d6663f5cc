// Importing a bundle: its bytes go to the server, which checks and loads it before it keeps it.

import { Problem, ROOT, problemOf, unreachable } from "./api.js";
import { BASE } from "./base.js";
import { announce } from "./toast.js";

const form = document.getElementById("import");

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const file = form.elements.bundle.files[0];
  const button = form.querySelector("button");
  const bar = document.getElementById("import-progress");
  const told = document.getElementById("import-error");
  told.textContent = "";
  button.disabled = true;
  bar.hidden = false;
  announce("Importing the bundle.");
  try {
    const bundle = await sent(file);
    location.assign(`${BASE}/models?bundle=${encodeURIComponent(bundle.name)}`);
  } catch (error) {
    told.textContent = error instanceof Problem ? error.sentence : "The file cannot be sent.";
  } finally {
    button.disabled = false;
    bar.hidden = true;
  }
});

async function sent(file) {
  let answer;
  try {
    answer = await fetch(`${ROOT}/bundles`, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream", Accept: "application/json" },
      body: file,
      credentials: "same-origin",
    });
  } catch {
    throw unreachable();
  }
  const text = await answer.text();
  if (!answer.ok) throw problemOf(answer.status, text, answer.headers.get("Retry-After"));
  return JSON.parse(text);
}
