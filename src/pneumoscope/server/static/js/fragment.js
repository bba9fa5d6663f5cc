// A part of a page that the server drew.

import { BASE } from "./base.js";
import { logIn, problemOf, unreachable } from "./api.js";
import { localise } from "./times.js";

/** Fetch it by its path below the root of the pages; an error is a Problem. */
export async function fetched(path) {
  let answer;
  try {
    answer = await fetch(BASE + path, { credentials: "same-origin", headers: { Accept: "text/html" } });
  } catch {
    throw unreachable();
  }
  if (answer.redirected || answer.status === 401) logIn(); // the login has ended
  if (!answer.ok || answer.redirected) throw problemOf(answer.status, "");
  const holder = document.createElement("template");
  holder.innerHTML = await answer.text();
  localise(holder.content);
  return holder.content;
}
