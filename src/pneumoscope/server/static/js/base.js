// Where the pages are: "" at the root of a host, "/pneumoscope" under a sub-path (serve --root-path).

export const BASE = document.documentElement.dataset.base ?? "";
