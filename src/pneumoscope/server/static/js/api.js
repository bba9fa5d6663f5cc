// Calls of /api/v1: a problem (RFC 9457) comes back as one clear sentence.

import { BASE } from "./base.js";

export const ROOT = `${BASE}/api/v1`;

/** What went wrong, in words that a person can act on. */
export class Problem extends Error {
  constructor({ status = 0, code = "", detail = "", remedy = "", retryAfter = null }) {
    super(detail);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.remedy = remedy;
    this.retryAfter = retryAfter; // seconds, or null
  }

  /** Reason and remedy, as whole sentences. */
  get sentence() {
    return [this.message, this.remedy].filter(Boolean).map(asSentence).join(" ");
  }
}

/** An address under /api/v1 with its query; what is null or empty is left out. */
export function address(path, query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
  return ROOT + path + (text ? `?${text}` : "");
}

/** The JSON that the server answers; null for an empty answer. */
export async function call(method, path, { query, json, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (json !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(address(path, query), {
      method,
      headers,
      signal,
      credentials: "same-origin",
      body: json === undefined ? undefined : JSON.stringify(json),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable();
  }
  const text = await answer.text();
  if (answer.status === 401) logIn();
  if (!answer.ok) throw problemOf(answer.status, text, answer.headers.get("Retry-After"));
  return text ? JSON.parse(text) : null;
}

export const get = (path, query, options) => call("GET", path, { query, ...options });
export const post = (path, json, query, options) => call("POST", path, { json, query, ...options });
export const patch = (path, json) => call("PATCH", path, { json });
export const put = (path, json) => call("PUT", path, { json });
export const remove = (path) => call("DELETE", path);

/** No answer at all. */
export function unreachable() {
  return new Problem({
    code: "unreachable",
    detail: navigator.onLine ? "The server does not answer" : "This device is offline",
    remedy: "It is tried again when the connection is back",
  });
}

/** Log in again, and come back here. */
export function logIn() {
  location.assign(`${BASE}/login?next=${encodeURIComponent(location.pathname.slice(BASE.length) + location.search)}`);
}

/** An answer that is not 2xx, whatever its body. */
export function problemOf(status, text, retryAfter = null) {
  let told = {};
  try {
    told = JSON.parse(text);
  } catch {
    told = {}; // a proxy's page, not ours
  }
  const seconds = Number.parseFloat(retryAfter ?? "");
  return new Problem({
    status,
    code: told.code ?? "",
    detail: (typeof told.detail === "string" && told.detail) || told.title || PLAIN[status] || `The server answered ${status}`,
    remedy: told.remedy ?? REMEDY[status] ?? "",
    retryAfter: Number.isFinite(seconds) ? Math.max(0, seconds) : null,
  });
}

const PLAIN = {
  401: "The login has ended",
  403: "This is not allowed for this user",
  404: "This is not there (any more)",
  413: "The file is larger than this server takes",
  429: "Too many requests in a short time",
  500: "The server failed",
  502: "The server does not answer",
  503: "The server is busy",
  504: "The server does not answer",
};

const REMEDY = {
  401: "Log in again",
  413: "Give fewer films at once, or a smaller file",
  500: "Try again; the server's log says more",
};

function asSentence(text) {
  const trimmed = text.trim();
  const start = trimmed[0].toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(start) ? start : `${start}.`;
}
