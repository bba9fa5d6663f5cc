// A reading on its way: it is kept in the browser until the server has it, and sent again under the same key, so that a
// closed tab, a lost network or a killed server loses nothing, and nothing counts twice.

import { ROOT, post } from "../api.js";

const LONGEST = 15; // seconds between two tries

export class Outbox {
  /** `place` tells this reader's study from others in the same browser. */
  constructor(study, reader) {
    this.study = study;
    this.place = `pneumoscope.reader-study.${study}.${reader}`;
  }

  kept(what) {
    try {
      return JSON.parse(localStorage.getItem(`${this.place}.${what}`) ?? "null");
    } catch {
      return null;
    }
  }

  keep(what, value) {
    try {
      if (value === null) localStorage.removeItem(`${this.place}.${what}`);
      else localStorage.setItem(`${this.place}.${what}`, JSON.stringify(value));
    } catch {
      // storage is forbidden or full: the server's draft is left
    }
  }

  /** Send a reading until the server answers; `waiting(problem)` tells that it has to be tried again. */
  async send(reading, waiting) {
    this.keep("sending", reading);
    for (let tries = 0; ; tries++) {
      try {
        const answer = await post(`/reader-studies/${this.study}/readings`, reading);
        this.keep("sending", null);
        return answer;
      } catch (problem) {
        const again = problem.code === "unreachable" || problem.status === 429 || problem.status >= 500;
        if (!again) {
          if (problem.status !== 401) this.keep("sending", null);
          throw problem;
        }
        waiting(problem);
        await pause(Math.min(LONGEST, problem.retryAfter ?? 2 ** Math.min(tries, 4)));
      }
    }
  }

  /** Keep what was said so far, here and on the server; without waiting for it. */
  draft(task, said) {
    this.keep("draft", { arm: task.arm, position: task.position, said });
    fetch(`${ROOT}/reader-studies/${this.study}/films/${task.arm}/${task.position}/draft`, {
      method: "PUT",
      headers: { "Content-Type": "application/json" },
      credentials: "same-origin",
      keepalive: true, // also when the tab is being closed
      body: JSON.stringify(said),
    }).catch(() => {}); // it is kept here
  }

  /** The newest draft of a film: this browser's, or the server's. */
  draftOf(task) {
    const mine = this.kept("draft");
    const here = mine && mine.arm === task.arm && mine.position === task.position ? mine.said : {};
    return (here.seconds ?? 0) >= (task.draft.seconds ?? 0) ? { ...task.draft, ...here } : task.draft;
  }
}

/** A key by chance: `crypto.randomUUID` is missing on pages that came by http. */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Wait so many seconds, or until the network is back. */
function pause(seconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, 1000 * seconds);
    function done() {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    }
    addEventListener("online", done);
  });
}
