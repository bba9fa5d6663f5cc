// Films from wherever a person has them: dropped files and folders, chosen ones, the clipboard, the camera.

const NOT_FILMS = /\.(txt|csv|tsv|json|xml|html?|md|pdf|docx?|xlsx?|pptx?|py|js|css|log|ini|db|exe|dll|so|mp4|mov|avi|mp3|wav|gz|tar|7z|rar|svg)$/i;
const NO_NAMES = /^(thumbs\.db|desktop\.ini|dicomdir|license|readme)$/i;

/** Leave out what is certainly no film: hidden files, tables, texts. Answers { films, left }. */
export function sorted(files) {
  const films = files.filter((file) => !file.name.startsWith(".") && !NO_NAMES.test(file.name) && !NOT_FILMS.test(file.name) && file.size > 0);
  return { films, left: files.length - films.length };
}

/** All files of a drop, those within folders too. */
async function dropped(transfer) {
  // The entries must be taken before anything is awaited: the browser empties the list afterwards.
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const files = [];
  for (const entry of entries) await gather(entry, files);
  return files;
}

async function gather(entry, files) {
  if (!entry) return;
  if (entry instanceof File) {
    files.push(entry);
  } else if (entry.isFile) {
    files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
  } else if (entry.isDirectory) {
    const reader = entry.createReader();
    for (;;) {
      // A reader gives a part of the folder (100 entries) at a time, and an empty list at its end.
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) break;
      for (const inner of some.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }))) await gather(inner, files);
    }
  }
}

/**
 * Listen for films. `take(files)` gets them; `hover(on)` says whether something is held over the page.
 * `inputs` are file inputs. Dropping works on the whole page: a film let go beside the zone must not open in the tab.
 */
export function listenForFilms({ inputs, take, hover }) {
  let depth = 0;
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  window.addEventListener("dragenter", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    if (depth++ === 0) hover(true);
  });
  window.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  window.addEventListener("dragleave", (event) => {
    if (!holdsFiles(event)) return;
    depth = Math.max(0, depth - 1);
    if (depth === 0) hover(false);
  });
  window.addEventListener("drop", async (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    depth = 0;
    hover(false);
    take(await dropped(event.dataTransfer));
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files.map(named));
  });
  for (const input of inputs) {
    input.addEventListener("change", () => {
      const files = [...input.files];
      input.value = ""; // the same film may be chosen again
      take(files);
    });
  }
}

/** A picture from the clipboard is always called "image.png": call it by its time. */
function named(file) {
  if (!/^image\.\w+$/.test(file.name)) return file;
  const time = new Date().toTimeString().slice(0, 8).replaceAll(":", ".");
  return new File([file], `pasted ${time}.${file.name.split(".").at(-1)}`, { type: file.type });
}
