// Admin and account: times of the place, and copying a token.

import { localise } from "./times.js";
import { toast } from "./toast.js";

document.getElementById("copy")?.addEventListener("click", async () => {
  const field = document.getElementById("token");
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    toast("Copied.");
  } catch {
    toast("Press Ctrl+C to copy it.");
  }
});

localise();
