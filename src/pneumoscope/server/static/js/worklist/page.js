// The worklist: filters, rows, selection, live changes, keys.

import { bind } from "../keys.js";
import { localise } from "../times.js";
import * as filter from "./filter.js";
import * as live from "./live.js";
import * as more from "./more.js";
import * as pick from "./pick.js";
import { all, current, go, link, place, remember } from "./rows.js";

async function step(by) {
  const rows = all();
  const at = rows.indexOf(current());
  if (at < 0) return go(by > 0 ? rows[0] : rows.at(-1));
  if (rows[at + by]) return go(rows[at + by]);
  if (by > 0) return go(await more.more());
  return undefined;
}

/** The arrows scroll the page unless the person is among the rows. */
function arrow(by) {
  if (!document.activeElement?.closest?.("#rows")) return false;
  step(by);
  return true;
}

bind("Worklist", [
  { keys: ["j"], say: "Next in the list", run: () => void step(1) },
  { keys: ["k"], say: "Previous in the list", run: () => void step(-1) },
  { keys: ["ArrowDown"], say: "Next study, from within the list", run: () => arrow(1) },
  { keys: ["ArrowUp"], say: "Study before, from within the list", run: () => arrow(-1) },
  { keys: ["Enter"], say: "Open the study", run: () => (document.activeElement === document.body && current() ? link(current()).click() : false) },
  { keys: ["x"], say: "Select the study", run: () => pick.toggle() },
  { keys: ["a"], say: "Agree", run: () => void pick.agree() },
  { keys: ["Delete"], say: "Delete those selected, after a question", run: () => pick.askToDelete() },
  { keys: ["/"], say: "Search", run: () => document.getElementById("f-q").focus() },
]);

localise();
remember();
filter.listen();
more.listen();
pick.listen();
live.listen();
place().addEventListener("rows", () => pick.count());
