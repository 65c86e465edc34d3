// The player of explorables: redraws a figure's states from the differences stored beside it.
// What the payload holds is described in computegap/book/explore/encode.py; decode() there is the reference.
(() => {
  "use strict";
  const KEY = "cgExplorables";
  if (window[KEY]) return window[KEY]();
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    const data = await new Response(stream).json();
    const size = data.shape.reduce((p, q) => p * q, 1);
    const count = data.columns.reduce((p, c) => p + c[1], 0);
    const table = new Int32Array(count * size);
    let at = 0;
    for (const [mask, n, flat] of data.columns) {
      // undo the differences along each axis, in place
      let step = flat.length;
      [n, ...data.shape].forEach((length, axis) => {
        step /= length;
        if (mask >> axis & 1) for (let i = step; i < flat.length; i++) if (Math.floor(i / step) % length) flat[i] += flat[i - step];
      });
      table.set(flat, at);
      at += flat.length;
    }
    let node = 0;
    const slots = data.slots.map(([gap, key, digits, parts, refs]) => {
      node += gap;
      let r = 0;
      return { node, key, digits, parts, scale: 10 ** digits, refs: digits < 0 ? refs * size : refs.map((d) => (r += d) * size) };
    });
    return { shape: data.shape, slots, table };
  };

  const control = (box, changed) => {
    const input = box.querySelector("input,select"), output = box.querySelector("output"), button = box.querySelector(".cg-play");
    const kind = input.type, range = kind === "range", start = range ? +input.value : kind === "checkbox" ? +input.defaultChecked : input.selectedIndex;
    const texts = range && input.dataset.texts.split("|"), smooth = "smooth" in input.dataset;
    const c = {
      smooth,
      get: () => range ? +input.value : kind === "checkbox" ? +input.checked : input.selectedIndex,
      set(v) {
        if (range) input.value = v; else if (kind === "checkbox") input.checked = !!v; else input.selectedIndex = v;
        c.label();
      },
      label() {
        if (!range) return;
        const text = texts[Math.round(input.value)];
        output.value = text;
        input.setAttribute("aria-valuetext", text);
      },
      stop() {},
      reset() { c.stop(); c.free(false); c.set(start); },
      // between two stops only while the pointer holds the thumb, or time runs
      free(on) {
        input.step = on && smooth && !still.matches ? "any" : 1;
        if (!on && range) input.value = Math.round(input.value);
      },
    };
    const settle = () => { c.free(false); c.label(); changed(); };
    if (range) {
      input.addEventListener("pointerdown", () => { c.stop(); c.free(true); });
      for (const e of ["pointerup", "pointercancel", "blur"]) input.addEventListener(e, () => { if (input.step === "any" && !c.playing) settle(); });
      input.addEventListener("keydown", () => { c.stop(); c.free(false); });
      input.addEventListener("input", () => { c.label(); changed(); });
      input.addEventListener("change", settle);
    } else input.addEventListener("change", () => changed());
    if (button) {
      const last = +input.max, name = button.getAttribute("aria-label").replace(/^Play/, "");
      const show = (on) => {
        c.playing = on;
        button.setAttribute("aria-label", (on ? "Pause" : "Play") + name);
        button.firstChild.textContent = on ? "\u275a\u275a" : "\u25b6";
      };
      c.stop = () => { if (c.playing) { show(false); settle(); } };
      button.addEventListener("click", () => {
        if (c.playing) return c.stop();
        show(true);
        c.free(true);
        let at = c.get() >= last ? 0 : c.get(), then;
        const tick = (now) => {
          if (!c.playing) return;
          if (then) at = Math.min(last, at + (now - then) / 1000 / button.dataset.seconds * last);
          then = now;
          const v = smooth && !still.matches ? at : Math.floor(at);
          if (v !== c.get() || v === 0) { c.set(v); changed(true); }
          if (at >= last) c.stop(); else requestAnimationFrame(tick);
        };
        requestAnimationFrame(tick);
      });
    }
    return c;
  };

  const start = (root) => {
    const $ = (s) => root.querySelector(s), svg = $(".cg-picture svg");
    const nodes = [svg, ...svg.querySelectorAll("*")], desc = svg.querySelector("desc"), now = $(".cg-now"), say = $(".cg-say");
    const last = [];
    let data, loading, timer, busy;
    const controls = [...root.querySelectorAll(".cg-control")].map((box) => control(box, changed));
    const load = () => loading ??= unpack($(".cg-states").textContent).then((d) => data = d).catch(() => {
      now.textContent = "This browser cannot unpack the other states of the figure; the picture shows the default setting.";
    });

    function paint() {
      const { shape, slots, table } = data;
      // the corners of the cell of the grid that we are in, each with its weight; and the nearest of them
      let corners = [[0, 1]], near = 0;
      controls.forEach((c, k) => {
        const v = c.get(), whole = Math.round(v), low = c.smooth ? Math.floor(v) : whole, t = v - low;
        near = near * shape[k] + whole;
        corners = corners.flatMap(([i, w]) => {
          i = i * shape[k] + low;
          return c.smooth && t ? [[i, w * (1 - t)], [i + 1, w * t]] : [[i, w]];
        });
      });
      const exact = corners.length < 2;
      slots.forEach(({ node, key, digits, parts, scale, refs }, j) => {
        let v;
        if (digits < 0) v = parts[table[refs + near]];
        else {
          v = parts[0];
          refs.forEach((ref, q) => {
            let x = 0;
            if (exact) x = table[ref + near]; else for (const [i, w] of corners) x += w * table[ref + i];
            v += +(x / scale).toFixed(exact ? digits : digits + 1) + parts[q + 1];
          });
        }
        if (v === last[j]) return;
        last[j] = v;
        const e = nodes[node];
        if (key === "#") e.textContent = v;
        else if (key === "<") e.innerHTML = v;
        else if (v === null) e.removeAttribute(key);
        else e.setAttribute(key, v);
      });
      if (now.textContent !== desc.textContent) now.textContent = desc.textContent;
    }
    // Readers see each state at once; a screen reader hears the one at which things come to rest.
    function changed(moving) {
      clearTimeout(timer);
      if (!moving) timer = setTimeout(() => { if (!controls.some((c) => c.playing)) say.textContent = desc.textContent; }, 500);
      if (data) return paint();
      if (busy) return;
      busy = true;
      load().then(() => { busy = false; if (data) paint(); });
    }
    for (const e of ["pointerenter", "focusin", "touchstart"]) root.addEventListener(e, load, { once: true, passive: true });
    $(".cg-reset").addEventListener("click", () => { controls.forEach((c) => c.reset()); changed(); });
    root.dataset.ready = "";
  };

  // A picture that fits its box need not be a stop of the tab key.
  const fits = window.ResizeObserver && new ResizeObserver((entries) => {
    for (const { target: t } of entries) t.tabIndex = t.scrollWidth > t.clientWidth + 1 ? 0 : -1;
  });
  window[KEY] = () => {
    document.querySelectorAll(".cg-explorable:not([data-ready])").forEach(start);
    if (fits) document.querySelectorAll(".cg-picture").forEach((p) => fits.observe(p));
  };
  document.readyState === "loading" ? addEventListener("DOMContentLoaded", () => window[KEY]()) : window[KEY]();
})();
