/* Filters the rows of "Every number and its source". Without this script the whole page is shown. */
(() => {
  "use strict";
  const box = document.querySelector(".cg-facts-filter");
  if (!box) return;
  const input = box.querySelector("input"), status = box.querySelector("[role=status]");
  const tables = [...document.querySelectorAll("table.cg-facts")].map((table) => ({
    holder: table.closest(".table-scroll") || table,
    caption: (table.caption ? table.caption.textContent : "").toLowerCase(),
    rows: [...table.tBodies[0].rows].map((row) => ({ row, text: row.textContent.toLowerCase() })),
  }));
  // Sections below the title, so that a heading goes with the last of its tables.
  const sections = [...document.querySelectorAll("section section")]
    .filter((section) => section.querySelector("table.cg-facts"));
  const apply = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const table of tables) {
      // A word found in the caption (a part's name, say) counts for all rows of that table.
      const left = words.filter((word) => !table.caption.includes(word));
      let any = false;
      for (const { row, text } of table.rows) {
        const hit = left.every((word) => text.includes(word));
        row.hidden = !hit;
        any ||= hit;
        shown += hit;
      }
      table.holder.hidden = !any;
    }
    for (const section of sections) {
      section.hidden = !tables.some(({ holder }) => !holder.hidden && section.contains(holder));
    }
    status.textContent = words.length ? `${shown} row${shown === 1 ? "" : "s"}` : "";
  };
  let timer;
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(apply, 120); });
  // A link to a row must show that row, whatever is in the box.
  addEventListener("hashchange", () => { if (input.value) { input.value = ""; apply(); } arrive(); });
  box.hidden = false;

  // Tables far away are laid out only when they come near, and grow then: a link to a row would miss it by
  // screens. So go there again until nothing moves, or until the reader does something.
  const arrive = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    let still = 0, tries = 0;
    const stop = () => { tries = 1e3; };
    for (const kind of ["wheel", "touchstart", "keydown", "pointerdown"]) {
      addEventListener(kind, stop, { once: true, passive: true });
    }
    const step = () => {
      if (tries++ > 90 || still > 5) return;
      const before = target.getBoundingClientRect().top;
      target.scrollIntoView({ behavior: "instant", block: "start" });
      still = Math.abs(before - target.getBoundingClientRect().top) < 2 ? still + 1 : 0;
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  };
  if (document.readyState === "complete") arrive();
  else addEventListener("load", arrive);
})();
