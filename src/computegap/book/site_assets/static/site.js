// The page's own few habits: theme, copying code, where you are on the page. Everything works without it.
(function () {
  "use strict";
  var root = document.documentElement;

  // Theme: automatic, light, dark, in turn.
  var themes = ["auto", "light", "dark"];
  var button = document.querySelector("button.theme");
  function name() {
    var label = "Theme: " + root.dataset.theme;
    button.querySelector(".theme-name").textContent = label;
  }
  if (button) {
    button.hidden = false;
    name();
    button.addEventListener("click", function () {
      root.dataset.theme = themes[(themes.indexOf(root.dataset.theme) + 1) % 3];
      try { localStorage.setItem("theme", root.dataset.theme); } catch (e) { /* private window */ }
      name();
    });
  }

  // The contents are open beside the text and folded above it.
  var contents = document.getElementById("contents");
  if (contents) matchMedia("(min-width:64em)").addEventListener("change", function (e) { contents.open = e.matches; });

  // A button that copies, on every block of code.
  document.querySelectorAll("div.highlight").forEach(function (block) {
    var pre = block.querySelector("pre");
    if (!pre || !navigator.clipboard || block.closest(".cell_output")) return;
    var copy = document.createElement("button");
    copy.type = "button";
    copy.className = "copy";
    copy.textContent = "Copy";
    copy.setAttribute("aria-label", "Copy code");
    copy.addEventListener("click", function () {
      navigator.clipboard.writeText(pre.textContent).then(function () {
        copy.textContent = "Copied";
        setTimeout(function () { copy.textContent = "Copy"; }, 1500);
      });
    });
    block.appendChild(copy);
  });

  // On a phone a figure is shown whole; one press makes its text as large as on a desk (the style sheet does both).
  document.addEventListener("click", function (event) {
    var enlarge = event.target.closest("button.enlarge");
    if (!enlarge) return;
    enlarge.setAttribute("aria-pressed", enlarge.previousElementSibling.classList.toggle("large"));
  });

  // What is wider than its box can be scrolled by keyboard; what isn't is no stop on the way.
  var boxes = document.querySelectorAll(".math-scroll,.table-scroll,article pre,.output.text_html");
  function reach() {
    // First read all, then write all: taking turns would lay the page out once for each box.
    var wide = Array.prototype.map.call(boxes, function (box) {
      return box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== "visible";
    });
    boxes.forEach(function (box, i) {
      if (!wide[i]) {
        if (box.hasAttribute("tabindex")) box.removeAttribute("tabindex");
        return;
      }
      box.tabIndex = 0;
      if (box.tagName !== "PRE" && !box.hasAttribute("aria-label")) {
        box.setAttribute("role", "group");
        box.setAttribute("aria-label", box.matches(".math-scroll") ? "Formula, scrolls sideways" : "Table, scrolls sideways");
      }
    });
  }
  requestAnimationFrame(function () { setTimeout(reach); });
  var waiting;
  function reachAgain() {
    clearTimeout(waiting);
    waiting = setTimeout(reach, 200);
  }
  addEventListener("resize", reachAgain);
  // A table that is laid out only when it comes near has no width before.
  document.addEventListener("contentvisibilityautostatechange", reachAgain, true);

  // Mark the section in view in the list beside the text.
  var links = document.querySelectorAll(".on-page a[href^='#']");
  if (!links.length || !("IntersectionObserver" in window)) return;
  var byId = {};
  links.forEach(function (link) { byId[link.hash.slice(1)] = link; });
  var observer = new IntersectionObserver(function (entries) {
    entries.forEach(function (entry) {
      if (!entry.isIntersecting) return;
      links.forEach(function (link) { link.removeAttribute("aria-current"); });
      byId[entry.target.parentNode.id].setAttribute("aria-current", "location");
    });
  }, { rootMargin: "0px 0px -70% 0px" });
  Object.keys(byId).forEach(function (id) {
    var section = id && document.getElementById(id);
    var heading = section && section.querySelector("h1,h2,h3,h4");
    if (heading && heading.parentNode === section) observer.observe(heading);
  });
})();
