/* Brings predictions and quizzes to life: plain forms, no network, nothing stored. */
(() => {
  if (window.cgTeach) return;
  window.cgTeach = true;
  const NB = "\u00a0";
  const round = (x, digits = 2) => Number(x.toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 12 });
  const numberOf = (card) => card.querySelector("input[type=number]");
  const withUnit = (text, unit) => (unit ? (/^[$€£]$/.test(unit) ? unit + text : text + NB + unit) : text);

  const sliderValue = (slider) => {
    const low = +slider.dataset.low, high = +slider.dataset.high, t = slider.value / 1000;
    const x = "log" in slider.dataset ? low * (high / low) ** t : low + (high - low) * t;
    return Number(x.toPrecision(3));
  };
  const sliderPlace = (slider, x) => {
    const low = +slider.dataset.low, high = +slider.dataset.high;
    const t = "log" in slider.dataset ? Math.log(Math.max(x, low) / low) / Math.log(high / low) : (x - low) / (high - low);
    return Math.round(1000 * Math.min(1, Math.max(0, t)));
  };

  /* How far a number is from the answer, in words. */
  const distance = (guess, truth, kind, unit) => {
    const far = guess > truth ? "above" : "below";
    if (kind === "ratio" && guess > 0 && truth > 0) {
      const ratio = Math.max(guess / truth, truth / guess);
      return ratio < 1.1 ? `within a tenth of it` : `${round(ratio)} times ${guess > truth ? "too high" : "too low"}`;
    }
    if (kind !== "difference" && truth > 0) return `${round((100 * Math.abs(guess - truth)) / truth)}${NB}% ${far} it`;
    const gap = round(Math.abs(guess - truth), 3);
    return `${unit === "%" ? `${gap} percentage points` : withUnit(gap, unit)} ${far} it`;
  };

  const numberVerdict = (card, guess) => {
    const { answer, unit = "", gap, from, to } = card.dataset;
    const truth = +answer, range = Math.abs(+card.querySelector("[type=range]").dataset.high) || 1;
    const same = Math.abs(guess - truth) <= 0.02 * Math.abs(truth || range);
    let text = `You predicted ${withUnit(guess.toLocaleString("en", { maximumSignificantDigits: 6 }), unit)}. `;
    if (from === undefined) return text + (same ? "That is it, or as good as." : `That is ${distance(guess, truth, gap, unit)}.`);
    if (guess >= +from && guess <= +to) return text + "That is inside the range of the estimates.";
    const end = guess < +from ? +from : +to;
    return text + `That is outside the range of the estimates: measured from its ${guess < +from ? "low" : "high"} end, ${distance(guess, end, gap, unit)}.`;
  };

  document.addEventListener("input", (event) => {
    const card = event.target.closest(".cg-predict");
    if (!card) return;
    const slider = card.querySelector("[type=range]"), box = numberOf(card);
    if (!slider) return;
    if (event.target === slider) box.value = sliderValue(slider);
    else if (box.value !== "") slider.value = sliderPlace(slider, +box.value);
    slider.setAttribute("aria-valuetext", box.value === "" ? "not set yet" : withUnit(box.value, card.dataset.unit));
  });

  document.addEventListener("submit", (event) => {
    const card = event.target.closest(".cg-predict, .cg-quiz");
    if (!card) return;
    event.preventDefault();
    const status = card.querySelector("[role=status]"), details = card.querySelector("details");
    const picked = card.querySelector("input:checked");
    if (card.matches(".cg-quiz")) {
      const reason = details.querySelectorAll("li")[+picked.value], right = "right" in reason.dataset;
      status.innerHTML = `<p><strong>${right ? "Right." : "Not so."}</strong> ${reason.querySelector("span").innerHTML}</p>${right ? "" : "<p>Choose again, if you like.</p>"}`;
      card.classList.toggle("cg-done", right || card.classList.contains("cg-done"));
      return;
    }
    if (card.classList.contains("cg-done")) return;
    const words = picked
      ? `You chose \u201c${picked.parentNode.textContent.trim()}\u201d. ${picked.value === card.dataset.choice ? "So it is." : "It turns out otherwise."}`
      : numberVerdict(card, +numberOf(card).value);
    card.classList.add("cg-done");
    card.querySelector("fieldset").disabled = true;
    card.querySelector("button").hidden = true;
    details.open = true;
    status.textContent = `${words} ${details.querySelector(".cg-answer").textContent}`;
    status.tabIndex = -1;
    status.focus({ preventScroll: true });
  });
})();
