// Put the controls of a figure to each state, in a mixed order, and return the states whose picture differs
// from the markup that Python made. Arguments: id of the figure, markup per state, number of values per control.
async ([id, markups, shape]) => {
  const root = document.getElementById(id), box = document.createElement("div");
  const inputs = [...root.querySelectorAll(".cg-control :is(input,select)")];
  const svg = root.querySelector(".cg-picture svg"), pause = () => new Promise((done) => setTimeout(done, 5));
  const same = () => svg.isEqualNode(box.firstChild), n = markups.length;
  root.dispatchEvent(new PointerEvent("pointerenter"));
  const order = markups.map((_, i) => i).sort((a, b) => (a * 7919) % n - (b * 7919) % n);
  const wrong = [];
  for (const state of order) {
    let rest = state;
    for (let k = shape.length - 1; k >= 0; k--) {
      const v = rest % shape[k], e = inputs[k];
      rest = (rest - v) / shape[k];
      if (e.type === "range") e.value = v;
      else if (e.type === "checkbox") e.checked = v;
      else e.selectedIndex = v;
    }
    inputs[0].dispatchEvent(new Event("input"));
    box.innerHTML = markups[state];
    for (let tries = 0; tries < 50 && !same(); tries++) await pause();
    if (!same()) wrong.push(state);
  }
  return wrong;
}
