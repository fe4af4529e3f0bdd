// The settings, each a slider and a number. `place` and `value` turn a setting into the slider's
// place and back, V being the size of the vocabulary; `within` brings a typed number into its
// limits; `off` is what a filter is called that is null.

const SETTINGS = [
  {
    name: "temperature", text: "Temperature",
    slider: { min: 0, max: 2, step: 0.05 }, number: { min: 0, max: 100, step: 0.05 },
    place: (x) => x, value: (x) => x, within: (x) => (x <= 0 ? 0 : clamp(x, 0.01, 100)),
  },
  {
    name: "top_k", text: "Top-k", off: "off",
    slider: { min: 0, max: 100, step: 1 }, number: { min: 1, step: 1 },
    place: (k, V) => (k === null ? 100 : (100 * Math.log(Math.min(k, V))) / Math.log(V)),
    value: (x, V) => (x >= 100 ? null : Math.round(V ** (x / 100))),
    within: (x) => clamp(Math.round(x), 1, 1e9),
  },
  {
    name: "top_p", text: "Top-p", off: "off",
    slider: { min: 0.01, max: 1, step: 0.01 }, number: { min: 0.01, max: 1, step: 0.01 },
    place: (p) => p ?? 1, value: (x) => (x >= 1 ? null : x), within: (x) => clamp(x, 0.001, 1),
  },
];

function makeSetting(ui, { name, text, slider, number, place, value, within, off = "" }) {
  const element = make("div", "sx-control", null, undefined, { role: "group", "aria-label": text });
  make("span", "xp-title", element, text);
  const range = make("input", "", element, undefined, { type: "range", ...slider });
  const typed = make("input", "", element, undefined, { type: "number", ...number });
  range.setAttribute("aria-label", `${text}, slider`);
  typed.setAttribute("aria-label", text);
  typed.placeholder = off;
  let V = 0; // of what is shown
  range.addEventListener("input", () => ui.set({ [name]: value(Number(range.value), V) }));
  typed.addEventListener("input", () => {
    if (typed.value !== "") ui.set({ [name]: within(Number(typed.value)) });
    else if (off) ui.set({ [name]: null });
  });
  typed.addEventListener("blur", ui.redraw); // what was typed may have been out of range
  return part(element, [always, ({ [name]: chosen, next }) => {
    ({ V } = next);
    // Several places may stand for one setting: then the slider stays where it is.
    if (value(Number(range.value), V) !== chosen) range.value = place(chosen, V);
    range.setAttribute("aria-valuetext", chosen ?? off);
    if (!typed.matches(":focus")) typed.value = chosen === null ? "" : Number(fixed(chosen, 4));
  }]);
}

function makeReset(ui) {
  const reset = { temperature: 1, top_k: null, top_p: null };
  return part(button(null, "Reset", () => ui.set(reset), { title: "Temperature 1, no filter" }));
}

const makeControls = (ui) =>
  boxed("sx-controls", ...SETTINGS.map((setting) => makeSetting(ui, setting)), makeReset(ui));
