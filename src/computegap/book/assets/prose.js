/* JupyterLab, Notebook 7: puts published numbers where prose names them. */
(() => {
  if (window.cgProse) return;
  const ROLE = /\{(glue:text|term|cite[:\w]*|fact|doc|eq)\}$/;
  const all = (selector, act) => document.querySelectorAll(selector).forEach(act);
  const books = new WeakMap(); /* several notebooks share a page */
  const bookOf = (node) => {
    const home = node.closest(".jp-Notebook") || document.body;
    if (!books.has(home)) books.set(home, { time: 0 });
    return books.get(home);
  };
  const read = (output) => {
    const book = bookOf(output), { cgTime, cgNumbers } = output.dataset;
    if (+cgTime > book.time) Object.assign(book, { time: +cgTime, numbers: JSON.parse(cgNumbers) });
  };
  const replace = (code) => {
    const before = code.previousSibling, role = before && ROLE.exec(before.data);
    if (!role) return;
    const span = document.createElement("span"), inside = code.textContent, cite = /^cite/.test(role[1]);
    span.textContent = cite ? `[${inside.replace(/,\s*/g, ", ")}]` : inside.replace(/\s*<[^<]+>$/, "");
    if (cite) span.style.opacity = 0.75;
    if (role[1] === "glue:text") span.dataset.cgName = inside;
    before.data = before.data.slice(0, role.index);
    code.replaceWith(span);
  };
  const fill = (span) => {
    const text = bookOf(span).numbers?.[span.dataset.cgName], shown = text || "…";
    if (span.textContent !== shown) span.textContent = shown;
    span.title = text ? "computed by this notebook" : "run the cells above";
  };
  let waiting, again;
  const update = () => {
    if (waiting) return void (again = 1);
    again = 0;
    try {
      all("[data-cg-numbers]", read);
      all(".jp-RenderedMarkdown code, .text_cell_render code", replace);
      all("[data-cg-name]", fill);
    } catch (error) {
      console.warn(error);
    }
    waiting = setTimeout(() => ((waiting = 0), again && update()), 80);
  };
  window.cgProse = new MutationObserver(update);
  window.cgProse.observe(document.body, { childList: true, subtree: true });
  update();
})();
