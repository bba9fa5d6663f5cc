// One film's way to the server: its progress, and trying again while the server is busy or away.

import { address, problemOf, unreachable } from "./api.js";

const PATIENCE = 30; // tries while the server is busy
const AWAY = 8; // tries while it does not answer
const LONGEST = 30; // seconds between two tries

const LINES = "application/x-ndjson";

/**
 * Send a file and wait for its readings: [{ name, study, reading_id, reading }], or `problem` in place of a reading.
 *
 * part(answer): each film's answer as it comes; for a zip of many.
 * progress(share): of the bytes that are sent; 1 means that it is being read.
 * waiting(seconds, problem): it is tried again in so many seconds; null seconds wait for the network.
 */
export async function send(file, { query, signal, progress, waiting, part = null }) {
  for (let tries = 1; ; tries++) {
    try {
      return await once(file, { query, signal, progress, part });
    } catch (problem) {
      if (signal?.aborted) throw problem;
      const busy = problem.status === 503 || problem.status === 429;
      const away = problem.code === "unreachable";
      if (!(busy && tries < PATIENCE) && !(away && tries < AWAY)) throw problem;
      const seconds = Math.min(LONGEST, Math.max(1, problem.retryAfter ?? 2 ** Math.min(tries - 1, 5)));
      if (away && !navigator.onLine) {
        waiting(null, problem);
        await online(signal);
      } else {
        await countdown(seconds, signal, (left) => waiting(left, problem));
      }
    }
  }
}

function once(file, { query, signal, progress, part }) {
  return new Promise((resolve, reject) => {
    // XMLHttpRequest, because fetch does not tell how much of a body is sent.
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    const finish = (settle, value) => {
      signal?.removeEventListener("abort", stop);
      settle(value);
    };
    const body = new FormData();
    body.append("film", file, file.name);
    request.open("POST", address("/read", query));
    request.setRequestHeader("Accept", part ? LINES : "application/json");
    request.upload.addEventListener("progress", (event) => event.lengthComputable && progress(event.loaded / event.total));
    request.upload.addEventListener("load", () => progress(1));
    const answers = [];
    let read = 0; // characters of whole lines that were taken
    const lines = () => {
      const end = request.responseText.lastIndexOf("\n") + 1;
      for (const line of request.responseText.slice(read, end).split("\n").filter(Boolean)) {
        answers.push(JSON.parse(line));
        part(answers.at(-1));
      }
      read = Math.max(read, end);
    };
    const streamed = () => (request.getResponseHeader("Content-Type") ?? "").startsWith(LINES);
    request.addEventListener("progress", () => request.status === 200 && streamed() && lines());
    request.addEventListener("load", () => {
      if (request.status < 200 || request.status > 299) {
        finish(reject, problemOf(request.status, request.responseText, request.getResponseHeader("Retry-After")));
        return;
      }
      try {
        if (streamed()) {
          lines();
          finish(resolve, answers);
        } else {
          finish(resolve, JSON.parse(request.responseText).readings);
        }
      } catch {
        finish(reject, problemOf(502, ""));
      }
    });
    request.addEventListener("error", () => finish(reject, unreachable()));
    request.addEventListener("abort", () => finish(reject, new DOMException("stopped", "AbortError")));
    signal?.addEventListener("abort", stop, { once: true });
    request.send(body);
  });
}

async function countdown(seconds, signal, tell) {
  for (let left = Math.ceil(seconds); left > 0; left--) {
    tell(left);
    await pause(1000, signal);
  }
  // Many pages that were sent away together must not all come back together.
  await pause(Math.random() * 400, signal);
}

function online(signal) {
  return new Promise((resolve, reject) => {
    window.addEventListener("online", resolve, { once: true, signal });
    signal?.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")), { once: true });
  });
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(new DOMException("stopped", "AbortError"))), { once: true });
  });
}
